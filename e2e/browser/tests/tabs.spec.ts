import { expect, test, type Page } from "@playwright/test";
import { CHROMIUM_FLAGS } from "../support/environment";
import { FakeTerminals, LIMIT } from "../support/fake-terminals";
import { expectNoSidewaysScroll, expectNoViolations } from "../support/looks";
import { READABLE } from "../support/terminal";
import { inhabit, terminalSession } from "../support/world";

test.use({ launchOptions: { executablePath: "/usr/bin/chromium", args: [...CHROMIUM_FLAGS, ...READABLE] }, viewport: { width: 1440, height: 860 } });

const PATH = "/ns/demo/sessions/both";

async function open(page: Page, prepare: (fake: FakeTerminals) => void = () => undefined): Promise<FakeTerminals> {
  await inhabit(page, { runs: [], sessions: [terminalSession("both")] });
  const fake = await FakeTerminals.serve(page);
  prepare(fake);
  await page.goto(PATH);
  await expect(page.locator("header [data-connection=live]")).toBeVisible();
  return fake;
}

const three = (fake: FakeTerminals): void => {
  fake.add("server", "listening on 8080\r\n");
  fake.add("claude", "thinking\r\n", { type: "agent" });
};

const tab = (page: Page, name: RegExp | string) => page.getByRole("tab", { name });
const titles = (page: Page) => page.getByRole("tab").evaluateAll((tabs) => tabs.map((each) => each.textContent));
const screen = (page: Page) => page.locator("[role=tabpanel]:not(.hidden) .xterm-rows");

test("one socket carries all terminals, and only the one that is looked at is sent", async ({ page }) => {
  const fake = await open(page, three);
  await expect(screen(page)).toContainText("developer@both");
  await expect(tab(page, "bash")).toHaveAttribute("aria-selected", "true");
  await expect(tab(page, "claude, agent")).toBeVisible();
  expect(fake.attached).toEqual([1]);

  await tab(page, "server").click();
  await expect(screen(page)).toContainText("listening on 8080");
  await expect.poll(() => fake.attached).toEqual([2]);
  fake.print(1, "printed behind your back\r\n");
  await expect(tab(page, "bash, new output")).toBeVisible();
  fake.print(1, "\x07", true);
  await expect(tab(page, "bash, rang")).toBeVisible();
  await expectNoViolations(page);

  await tab(page, /^bash/).click();
  await expect(screen(page)).toContainText("printed behind your back");
  await expect(tab(page, "bash")).toBeVisible();
  // It went on where the screen was: nothing came twice.
  expect(fake.attaches.at(-1)).toEqual({ terminal: 1, have: "developer@both:~/repo$ ".length, role: 0 });
  expect(fake.sockets).toBe(1);
});

test("what is typed goes to the terminal that is looked at", async ({ page }) => {
  const fake = await open(page, three);
  await page.keyboard.type("first");
  await expect.poll(() => fake.typed(1)).toBe("first");
  await tab(page, "server").click();
  await page.keyboard.type("second");
  await expect.poll(() => fake.typed(2)).toBe("second");
  expect(fake.typed(1)).toBe("first");
});

test("a new terminal, a name for it, and closing it", async ({ page }) => {
  const fake = await open(page);
  await page.getByRole("button", { name: "New terminal" }).click();
  await expect(page.getByRole("tab")).toHaveCount(2);
  await expect(page.getByRole("tab").nth(1)).toHaveAttribute("aria-selected", "true");
  await page.getByRole("tab").nth(1).dblclick();
  const dialog = page.getByRole("dialog", { name: "Rename terminal" });
  await dialog.getByRole("textbox", { name: "Name" }).fill("build");
  await page.keyboard.press("Enter");
  await expect(tab(page, "build")).toBeVisible();
  expect(fake.terminals.get(2)?.title).toBe("build");

  // Nobody knows whether something runs, so it is asked; a shell that says that it waits is closed at once.
  await tab(page, "build").locator("[data-close]").click();
  await expect(page.getByRole("dialog", { name: "Close build?" })).toContainText("What runs in it is ended");
  await expectNoViolations(page);
  await page.getByRole("button", { name: "Keep it" }).click();
  fake.print(2, "\x1b]133;A\x07$ ");
  await expect(screen(page)).toContainText("$ $");
  await tab(page, "build").locator("[data-close]").click();
  await expect(page.getByRole("tab")).toHaveCount(1);
  await expect.poll(() => [...fake.terminals.keys()]).toEqual([1]);
  await expect(tab(page, "bash")).toHaveAttribute("aria-selected", "true");
});

test("the last one can be closed, and another opened", async ({ page }) => {
  const fake = await open(page);
  await page.getByRole("button", { name: "Terminal menu" }).click();
  await page.getByRole("menuitem", { name: /Close terminal/ }).click();
  await page.getByRole("button", { name: "Close terminal" }).click();
  await expect(page.getByText("No terminal is open.")).toBeVisible();
  await expectNoViolations(page);
  await page.getByRole("region", { name: /^Terminal/ }).getByRole("button", { name: "New terminal" }).click();
  await expect(screen(page)).toContainText("developer@both");
  expect(fake.sockets).toBe(1);
});

test("all of it by keyboard", async ({ page }) => {
  const fake = await open(page, three);
  await expect(page.locator(".xterm-helper-textarea").first()).toBeFocused();
  await page.keyboard.press("Control+Shift+ArrowUp");
  await expect(tab(page, "bash")).toBeFocused();
  await page.keyboard.press("ArrowRight");
  await expect(tab(page, "server")).toBeFocused();
  await expect(tab(page, "bash")).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("Control+ArrowRight");
  await expect.poll(() => titles(page)).toEqual(["bash", "claude", "server"]);
  await page.keyboard.press("Home");
  await expect(tab(page, "bash")).toBeFocused();
  await page.keyboard.press("End");
  await page.keyboard.press("F2");
  await page.getByRole("textbox", { name: "Name" }).fill("backend");
  await page.keyboard.press("Enter");
  await expect(tab(page, "backend")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(screen(page)).toContainText("listening");
  await page.keyboard.type("x");
  await expect.poll(() => fake.typed(2)).toBe("x");
  await page.keyboard.press("Control+Shift+ArrowLeft");
  await expect(tab(page, "claude, agent")).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("Control+Shift+Enter");
  await expect(page.getByRole("tab")).toHaveCount(4);
  await expect(page.getByRole("tab").nth(3)).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("Control+Shift+ArrowUp");
  await page.keyboard.press("Delete");
  await page.getByRole("dialog").getByRole("button", { name: "Close terminal" }).press("Enter");
  await expect(page.getByRole("tab")).toHaveCount(3);
});

test("tabs are ordered by dragging, and a reload finds order and place again", async ({ page }) => {
  const fake = await open(page, three);
  await expect(page.getByRole("tab")).toHaveCount(3);
  // On a busy machine a browser may take a drag that is over at once for a click.
  await expect(async () => {
    await tab(page, "claude, agent").dragTo(tab(page, "bash"));
    expect(await titles(page)).toEqual(["claude", "bash", "server"]);
  }).toPass();
  await tab(page, "server").click();
  await expect(screen(page)).toContainText("listening");
  await page.reload();
  await expect(screen(page)).toContainText("listening");
  expect(await titles(page)).toEqual(["claude", "bash", "server"]);
  await expect(tab(page, "server")).toHaveAttribute("aria-selected", "true");
  // In one round trip: the first word asked for it already.
  expect(fake.attaches.at(-1)).toEqual({ terminal: 2, have: undefined, role: 0 });
});

test("the sixteenth is the last, and that is explained", async ({ page }) => {
  const fake = await open(page, (each) => {
    for (let at = 1; at < LIMIT; at += 1) each.add(`shell ${at}`, "$ ");
  });
  await expect(page.getByRole("tab")).toHaveCount(LIMIT);
  await page.getByRole("button", { name: "New terminal" }).click();
  await expect(page.getByText("This session has 16 terminals, as many as it may have. Close one to open another.", { exact: true })).toBeVisible();
  await expectNoSidewaysScroll(page);
  expect(fake.terminals.size).toBe(LIMIT);
});

test("a terminal that somebody closes elsewhere stays readable where it is looked at", async ({ page }) => {
  const fake = await open(page, three);
  await tab(page, "server").click();
  await expect(screen(page)).toContainText("listening");
  fake.terminals.delete(2);
  fake.add("other", "$ ");
  await expect(page.getByText("This terminal was closed elsewhere.")).toBeVisible();
  await expect(screen(page)).toContainText("listening");
  await page.getByRole("button", { name: "Close", exact: true }).click();
  await expect.poll(() => titles(page)).toEqual(["bash", "claude", "other"]);
});

test("a new pod says so, with time and cause, and what was there stays readable above", async ({ page }) => {
  const fake = await open(page, three);
  fake.print(1, "\r\nthe last words of the old pod\r\n");
  await expect(screen(page)).toContainText("the last words");
  fake.cut(1001, { code: 1006, reason: "" });
  fake.restart("b2", "a new shell$ ");
  fake.mend();
  await page.evaluate(() => window.dispatchEvent(new Event("focus")));
  await expect(page.getByText(/The session was restarted at \d.*: its pod or its container was replaced\./).first()).toBeVisible();
  await expect(screen(page)).toContainText("a new shell$");
  await expect(screen(page)).not.toContainText("the last words");
  await page.locator(".xterm-helper-textarea").first().focus();
  for (let at = 0; at < 3; at += 1) await page.keyboard.press("Shift+PageUp");
  await expect(screen(page)).toContainText("the last words of the old pod");
  await page.keyboard.press("Shift+PageDown");
  await expect(screen(page)).toContainText("── The session was restarted at");
  await page.getByRole("button", { name: "Dismiss" }).first().click();
  await page.locator(".xterm-helper-textarea").first().focus();
  await page.keyboard.type("ls");
  await expect.poll(() => fake.typed(1)).toBe("ls");
});

for (const colorScheme of ["dark", "light"] as const) {
  test(`tabs have no accessibility errors and fit 360 px in the ${colorScheme} theme`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const fake = await open(page, three);
    fake.print(2, "\x07", true);
    fake.print(3, "more\r\n");
    await expect(tab(page, "server, rang")).toBeVisible();
    await expectNoViolations(page);
    await page.screenshot({ path: `test-results/tabs-1440-${colorScheme}.png` });
    await page.getByRole("button", { name: "Terminal menu" }).click();
    await expectNoViolations(page);
    await page.keyboard.press("Escape");
    await page.setViewportSize({ width: 360, height: 740 });
    await expectNoViolations(page);
    await expectNoSidewaysScroll(page);
    await page.screenshot({ path: `test-results/tabs-360-${colorScheme}.png` });
  });
}
