import { expect, test, type Page } from "@playwright/test";
import { createSession, untilReady } from "../support/api";
import { CHROMIUM_FLAGS, environment, uniqueName } from "../support/environment";
import { Line } from "../support/line";
import { READABLE, Terminal } from "../support/terminal";

test.use({ launchOptions: { executablePath: "/usr/bin/chromium", args: [...CHROMIUM_FLAGS, ...READABLE] } });

/** The type of a client's first frame. */
const HELLO = 0x0c;
const name = uniqueName("terminal");

test.beforeAll(async () => {
  await createSession(name, { workspace: { size: "1Gi" } });
  await untilReady(name);
});

test("a shell works, and a reload finds it as it was", async ({ page }) => {
  const terminal = await Terminal.open(page, name);
  await terminal.run("KEPT=here; echo answer-$((40 + 2))", "answer-42");
  await page.reload();
  await terminal.connected();
  await expect(terminal.screen).toContainText("answer-42");
  await terminal.run("echo still-$KEPT", "still-here");
});

test("keys typed while the line is cut arrive once, and output of that time is not lost", async ({ page, context }) => {
  const line = await Line.open();
  try {
    const terminal = await Terminal.open(page, name, line.url);
    await terminal.run("echo first-$((1 + 1))", "first-2");
    await page.keyboard.type("for i in $(seq 5); do sleep 0.3; echo tick-$i; done");
    await page.keyboard.press("Enter");
    await expect(terminal.screen).toContainText("tick-1");
    line.cut();
    await context.setOffline(true);
    await page.keyboard.type("echo typed-$((2 + 2))");
    await expect(page.locator("header [data-connection]")).toContainText(/Offline, \d+ keys waiting/);
    line.mend();
    await context.setOffline(false);
    await terminal.connected();
    await page.keyboard.press("Enter");
    await expect(terminal.screen).toContainText("typed-4");
    const lines = (await terminal.text()).split("\n");
    // What was typed may be echoed before a tick, in its line.
    expect(lines.flatMap((each) => /tick-\d$/.exec(each) ?? [])).toEqual([1, 2, 3, 4, 5].map((tick) => `tick-${tick}`));
    expect(lines.filter((each) => each === "typed-4")).toHaveLength(1);
  } finally {
    line.close();
  }
});

/** A browser's *Duplicate* copies the sessionStorage, as `window.open` does. */
test("a duplicated tab is a client of its own: both go on, and no key is lost", async ({ page, context }) => {
  const names = new Set<string>();
  const listen = (each: Page): void =>
    void each.on("websocket", (socket) =>
      socket.on("framesent", ({ payload }) => {
        if (typeof payload !== "string" && payload[0] === HELLO) names.add((JSON.parse(payload.subarray(4).toString()) as { client_id: string }).client_id);
      }),
    );
  listen(page);
  context.on("page", listen);
  const first = await Terminal.open(page, name);
  await page.evaluate(() => sessionStorage.setItem("of-the-first", "copied"));
  const [copy] = await Promise.all([context.waitForEvent("page"), page.evaluate(() => void window.open(location.href))]);
  const second = new Terminal(copy);
  await second.connected();
  expect(await copy.evaluate(() => sessionStorage.getItem("of-the-first"))).toBe("copied");
  for (const round of [1, 2, 3]) {
    await page.bringToFront();
    await first.run(`echo first-${round}-$((40 + 2))`, `first-${round}-42`);
    await expect(second.screen).toContainText(`first-${round}-42`);
    await copy.bringToFront();
    await second.run(`echo second-${round}-$((40 + 2))`, `second-${round}-42`);
    await expect(first.screen).toContainText(`second-${round}-42`);
  }
  for (const [terminal, each] of [[first, page], [second, copy]] as const) {
    await expect(each.locator("header [data-connection=live]")).toBeVisible();
    const answers = (await terminal.text()).split("\n").filter((line) => /^(first|second)-\d-42$/.test(line));
    expect(answers).toEqual([1, 2, 3].flatMap((round) => [`first-${round}-42`, `second-${round}-42`]));
  }
  expect(names.size).toBe(2);
});

test("of two terminals one is closed, and its program ends with it", async ({ page }) => {
  const terminal = await Terminal.open(page, name);
  const tabs = page.getByRole("tab");
  const before = await tabs.count();
  await page.getByRole("button", { name: "New terminal" }).click();
  await expect(tabs).toHaveCount(before + 1);
  await expect(tabs.nth(before)).toHaveAttribute("aria-selected", "true");
  const panel = page.locator("[role=tabpanel]:not(.hidden)");
  await panel.locator(".xterm-helper-textarea").focus();
  await page.keyboard.type("echo begun-$((4 + 4)); exec sleep 86399");
  await page.keyboard.press("Enter");
  await expect(panel.locator(".xterm-rows")).toContainText("begun-8");

  await tabs.nth(before).locator("[data-close]").click();
  await page.getByRole("dialog").getByRole("button", { name: "Close terminal" }).click();
  await expect(tabs).toHaveCount(before);
  await expect(tabs.first()).toHaveAttribute("aria-selected", "true");
  await terminal.run("grep -qs '8639[9]' /proc/[0-9]*/cmdline || echo gone-$((5 + 5))", "gone-10");
  // The runtime has forgotten it, not only this page.
  await page.reload();
  await terminal.connected();
  await expect(tabs).toHaveCount(before);
});

test("a cut line comes back by itself, without an event to help", async ({ page }) => {
  const line = await Line.open();
  try {
    const terminal = await Terminal.open(page, name, line.url);
    line.cut();
    await expect(page.locator("header [data-connection]")).toContainText(/Reconnecting \(attempt \d+/);
    line.mend();
    await terminal.connected();
    await terminal.run("echo back-$((3 + 3))", "back-6");
  } finally {
    line.close();
  }
});

test("a login that ends is asked for in place, and the shell goes on", async ({ page, context }) => {
  const line = await Line.open();
  try {
    const terminal = await Terminal.open(page, name, line.url);
    await terminal.run("echo before-$((4 + 4))", "before-8");
    await context.clearCookies();
    line.cut();
    line.mend();
    const dialog = page.getByRole("dialog", { name: "Log in again" });
    await dialog.getByLabel("Kubernetes token").fill(environment().token);
    await page.keyboard.press("Enter");
    await expect(dialog).toBeHidden();
    await terminal.connected();
    await expect(terminal.screen).toContainText("before-8");
    await terminal.run("echo after-$((5 + 5))", "after-10");
  } finally {
    line.close();
  }
});

test("a paste arrives whole, and a selection can be copied", async ({ page }) => {
  const terminal = await Terminal.open(page, name);
  await page.evaluate(() => navigator.clipboard.writeText(`echo ${"p".repeat(900)} | tr -d '\\n' | wc -c`));
  await page.locator(".xterm-helper-textarea").focus();
  await page.keyboard.press("Control+Shift+V");
  await page.keyboard.press("Enter");
  await expect(terminal.screen).toContainText("900");
  await terminal.run("clear; echo copy-$((6 + 6))", "copy-12");
  // The emulator takes the mouse itself, so the word is pressed by its place.
  const word = await terminal.screen.getByText("copy-12", { exact: true }).first().boundingBox();
  await page.mouse.dblclick((word?.x ?? 0) + 8, (word?.y ?? 0) + 8);
  await page.keyboard.press("Control+Shift+C");
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain("12");
});

test("a file is uploaded by drop, listed, and downloaded", async ({ page }) => {
  const terminal = await Terminal.open(page, name);
  const files = await page.evaluateHandle(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(["dropped here\n"], "dropped file.txt", { type: "text/plain" }));
    return transfer;
  });
  const area = page.getByRole("region", { name: /Terminal/ });
  await area.dispatchEvent("dragover", { dataTransfer: files });
  await expect(page.getByText("Drop to upload")).toBeVisible();
  await area.dispatchEvent("drop", { dataTransfer: files });
  await expect(page.getByText("Uploaded to /workspace/dropped file.txt", { exact: true })).toBeVisible();
  await terminal.run("cat '/workspace/dropped file.txt'", "dropped here");
  await page.getByRole("button", { name: "Files", exact: true }).click();
  const download = page.waitForEvent("download");
  await page.getByRole("complementary", { name: "Files" }).getByRole("link", { name: /dropped file\.txt/ }).click();
  expect((await download).suggestedFilename()).toBe("dropped file.txt");
});

test("after exit the code is shown and a new shell is one key away", async ({ page }) => {
  const terminal = await Terminal.open(page, name);
  await page.locator(".xterm-helper-textarea").focus();
  await page.keyboard.type("exit 3");
  await page.keyboard.press("Enter");
  await expect(page.getByText("The shell ended with code 3.")).toBeVisible();
  await page.getByRole("button", { name: "New shell" }).press("Enter");
  await expect(page.getByText("The shell ended with code 3.")).toBeHidden();
  await terminal.run("echo anew-$((7 + 7))", "anew-14");
});
