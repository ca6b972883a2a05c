import { expect, test, type Page } from "@playwright/test";
import { CHROMIUM_FLAGS } from "../support/environment";
import { FakeTerminals } from "../support/fake-terminals";
import { expectNoSidewaysScroll, expectNoViolations } from "../support/looks";
import { READABLE } from "../support/terminal";
import { inhabit, terminalSession } from "../support/world";

test.use({ launchOptions: { executablePath: "/usr/bin/chromium", args: [...CHROMIUM_FLAGS, ...READABLE] }, viewport: { width: 1440, height: 860 }, contextOptions: { reducedMotion: "reduce" } });

const PATH = "/ns/demo/sessions/both";

async function open(page: Page, prepare: (fake: FakeTerminals) => void = () => undefined, first?: string): Promise<FakeTerminals> {
  await inhabit(page, { runs: [], sessions: [terminalSession("both")] });
  const fake = await FakeTerminals.serve(page, first);
  prepare(fake);
  await page.goto(PATH);
  await expect(page.locator("header [data-connection=live]")).toBeVisible();
  await expect(page.locator(".xterm-rows")).toContainText("$");
  return fake;
}

const screen = (page: Page) => page.locator(".xterm-rows");
const connection = (page: Page) => page.getByRole("complementary", { name: "Connection" });

/** Puts text on the clipboard and pastes it as a person does. */
async function paste(page: Page, text: string): Promise<void> {
  await page.evaluate((each) => navigator.clipboard.writeText(each), text);
  await page.locator(".xterm-helper-textarea").focus();
  await page.keyboard.press("Control+Shift+V");
}

/** Clicks a word of the output by its place, for the emulator takes the mouse itself. */
async function clickWord(page: Page, word: string): Promise<void> {
  const row = screen(page).locator("> div").filter({ hasText: word }).last();
  const box = await row.boundingBox();
  const text = (await row.textContent()) ?? "";
  const cell = await page.evaluate(() => (document.querySelector(".xterm-screen")?.clientWidth ?? 0) / 80);
  const x = (box?.x ?? 0) + (text.indexOf(word) + 2.5) * cell;
  const y = (box?.y ?? 0) + (box?.height ?? 0) / 2;
  await page.mouse.move(x - 30, y);
  await page.mouse.move(x, y);
  await expect(page.locator(".xterm-cursor-pointer")).toBeVisible();
  await page.mouse.click(x, y);
}

test("words are found in what was printed", async ({ page }) => {
  const fake = await open(page);
  fake.print(1, Array.from({ length: 90 }, (_, at) => `\r\nline ${at} ${at % 30 === 0 ? "Needle" : "hay"}`).join(""));
  await expect(screen(page)).toContainText("line 89");
  await page.keyboard.press("Control+Shift+F");
  const search = page.getByRole("search", { name: "Terminal output" });
  const field = search.getByRole("textbox", { name: "Find in the terminal" });
  await expect(field).toBeFocused();
  await page.keyboard.type("needle");
  await expect(search.getByRole("status")).toHaveText(/of 3$/);
  await page.keyboard.press("Enter");
  const first = await search.getByRole("status").textContent();
  await page.keyboard.press("Shift+Enter");
  await expect(search.getByRole("status")).not.toHaveText(first ?? "");
  await expectNoViolations(page);
  await page.screenshot({ path: "test-results/search-1440.png" });
  await search.getByRole("button", { name: "Match case" }).click();
  await expect(search.getByRole("status")).toHaveText("nothing");
  await search.getByRole("button", { name: "Regular expression" }).click();
  await field.fill("Ne+dle$");
  await expect(search.getByRole("status")).toHaveText(/of 3$/);
  await field.press("Escape");
  await expect(search).toBeHidden();
  await expect(page.locator(".xterm-helper-textarea")).toBeFocused();
});

test("many lines are asked about before they are pasted, as the program takes them", async ({ page }) => {
  const fake = await open(page);
  await paste(page, "rm -rf build\nmake\n");
  const dialog = page.getByRole("dialog", { name: "Paste 2 lines?" });
  await expect(dialog).toContainText("each line is entered as it comes");
  await expect(dialog).toContainText("rm -rf build");
  await expectNoViolations(page);
  await page.screenshot({ path: "test-results/paste-1440.png" });
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  expect(fake.typed(1)).toBe("");

  fake.print(1, "\x1b[?2004h");
  await paste(page, "one\ntwo");
  await expect.poll(() => fake.typed(1)).toBe("\x1b[200~one\rtwo\x1b[201~");
  await paste(page, Array.from({ length: 12 }, (_, at) => `line ${at}`).join("\n"));
  await expect(page.getByRole("dialog", { name: "Paste 12 lines?" })).toContainText("takes them as one piece");
  await expect(page.getByRole("dialog")).toContainText("and 4 lines more");
  await page.keyboard.press("Enter");
  await expect.poll(() => fake.typed(1)).toContain("line 11\x1b[201~");

  await page.getByRole("button", { name: "Terminal menu" }).click();
  await page.getByRole("menuitemcheckbox", { name: "Ask before pasting many lines" }).click();
  await paste(page, "last\n".repeat(20));
  await expect.poll(() => fake.typed(1)).toContain("last\rlast");
});

test("what an input method puts in at once is asked about like a paste", async ({ page }) => {
  const fake = await open(page);
  await page.locator(".xterm-helper-textarea").focus();
  await page.keyboard.insertText("rm -rf build\nmake\n");
  const dialog = page.getByRole("dialog", { name: "Paste 2 lines?" });
  await expect(dialog).toContainText("rm -rf build");
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  expect(fake.typed(1)).toBe("");

  fake.print(1, "\x1b[?2004hready");
  await expect(screen(page)).toContainText("ready");
  await page.locator(".xterm-helper-textarea").focus();
  await page.keyboard.insertText("one\ntwo");
  await expect.poll(() => fake.typed(1)).toBe("\x1b[200~one\rtwo\x1b[201~");
});

test("news take no line from the terminal", async ({ page }) => {
  const fake = await open(page);
  const place = () => page.locator(".xterm").evaluate(({ parentElement }) => ({ width: parentElement?.clientWidth, height: parentElement?.clientHeight }));
  const [room, size] = [await place(), fake.terminals.get(1)?.size];
  // Without any nothing lies over the screen, not even the frame of an empty box.
  const over = page.getByRole("region", { name: /^Terminal/ }).locator("> .pointer-events-none > *");
  await expect(over).toHaveCSS("display", "none");
  fake.print(1, "\x1b]52;c;aGVsbG8=\x07");
  await expect(page.getByText("would like to put 5 characters on your clipboard")).toBeVisible();
  expect(await place()).toEqual(room);
  await expectNoViolations(page);
  await page.screenshot({ path: "test-results/news-1440.png" });
  fake.exit(1, 3);
  await expect(page.getByText("The shell ended with code 3.")).toBeVisible();
  expect(await place()).toEqual(room);
  expect(fake.terminals.get(1)?.size).toEqual(size);
});

test("the size of the text is changed by keys and menu, and remembered", async ({ page }) => {
  await open(page);
  const size = () => page.locator(".xterm-rows").evaluate((rows) => getComputedStyle(rows).fontSize);
  await page.locator(".xterm-helper-textarea").focus();
  await page.keyboard.press("Control+=");
  await page.keyboard.press("Control+=");
  await expect.poll(size).toBe("15px");
  await page.reload();
  await expect.poll(size).toBe("15px");
  await page.getByRole("button", { name: "Terminal menu" }).click();
  await page.getByRole("menuitem", { name: "Smaller text" }).click();
  await expect.poll(size).toBe("14px");
  await page.locator(".xterm-helper-textarea").focus();
  await page.keyboard.press("Control+0");
  await expect.poll(size).toBe("13px");
});

test("what is selected is copied when that is wished", async ({ page }) => {
  await open(page, undefined, "selectable $ ");
  await page.getByRole("button", { name: "Terminal menu" }).click();
  await page.getByRole("menuitemcheckbox", { name: "Copy what is selected" }).click();
  const box = await screen(page).locator("> div").first().boundingBox();
  await page.mouse.dblclick((box?.x ?? 0) + 20, (box?.y ?? 0) + 8);
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe("selectable");
});

test("a place in a file leads to its folder, and is copied", async ({ page }) => {
  const fake = await open(page);
  await page.route("**/files/**", (route) => route.fulfill({ json: { entries: [{ name: "main.rs", kind: "file", size: 12 }] } }));
  fake.print(1, "\r\nerror: src/main.rs:12:5 no\r\n$ ");
  await expect(screen(page)).toContainText("src/main.rs:12:5");
  await clickWord(page, "src/main.rs:12:5");
  const files = page.getByRole("complementary", { name: "Files" });
  await expect(files).toContainText("/workspace/repo/src");
  await expect(files).toContainText("main.rs");
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe("src/main.rs:12");
});

test("where a program's link leads is shown before it is followed", async ({ page, context }) => {
  const fake = await open(page);
  fake.print(1, "\r\n\x1b]8;;https://evil.example.com/x\x1b\\docs.example.com\x1b]8;;\x1b\\\r\n$ ");
  await expect(screen(page)).toContainText("docs.example.com");
  await clickWord(page, "docs.example.com");
  const dialog = page.getByRole("dialog", { name: "Open this link?" });
  await expect(dialog).toContainText("https://evil.example.com/x");
  await expectNoViolations(page);
  await dialog.getByRole("button", { name: "Cancel" }).click();
  expect(context.pages()).toHaveLength(1);
});

test("a program puts nothing on the clipboard by itself, and a picture disturbs nothing", async ({ page }) => {
  const fake = await open(page);
  await page.evaluate(() => navigator.clipboard.writeText("mine"));
  fake.print(1, `\x1b]52;c;${Buffer.from("from the program").toString("base64")}\x07\x1b]52;c;?\x07`);
  await expect(page.getByText("A program in the terminal would like to put 16 characters on your clipboard.")).toBeVisible();
  await expectNoViolations(page);
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("mine");
  await page.getByRole("button", { name: "Copy", exact: true }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe("from the program");
  fake.print(1, `before\x1bPq${"#0;2;0;0;0#1~~@@vv-".repeat(1_000)}\x1b\\\x1b]1337;File=inline=1:${"QUJD".repeat(5_000)}\x07behind`);
  await expect(screen(page)).toContainText("beforebehind");
  // Nobody answered the question for the clipboard's content.
  expect(fake.typed(1)).not.toContain("52;");
});

test("who may only watch sends nothing, and sees that", async ({ page }) => {
  const fake = await open(page, (each) => (each.role = "view"));
  await expect(page.locator("header [data-connection]")).toContainText("View only");
  await expect(page.getByText("View only: nothing that you type is sent.")).toBeVisible();
  await expect(page.getByRole("button", { name: "New terminal" })).toBeHidden();
  await expectNoViolations(page);
  await page.locator(".xterm-helper-textarea").focus();
  await page.keyboard.type("rm -rf /");
  await paste(page, "a\nb\nc\n");
  fake.print(1, "\r\nstill shown $ ");
  await expect(screen(page)).toContainText("still shown");
  expect(fake.typed(1)).toBe("");
  await page.screenshot({ path: "test-results/view-only-1440.png" });
});

test("another window that types alone is seen, and the terminal taken back", async ({ page }) => {
  const fake = await open(page);
  fake.takeOver(1);
  await expect(page.getByText("Another window types here alone.")).toBeVisible();
  await page.getByRole("button", { name: "Take back" }).click();
  await expect.poll(() => fake.attaches.at(-1)?.role).toBe(0);
  await page.locator(".xterm-helper-textarea").focus();
  await page.keyboard.type("x");
  await expect.poll(() => fake.typed(1)).toBe("x");
  await page.getByRole("button", { name: "Terminal menu" }).click();
  await page.getByRole("menuitem", { name: "Type here alone" }).click();
  await expect.poll(() => fake.attaches.at(-1)?.role).toBe(2);
});

test("the drawer explains the connection: latency, a loss, the next try, what waits", async ({ page }) => {
  const fake = await open(page);
  await page.getByRole("button", { name: /^Connection/ }).click();
  await expect(connection(page)).toContainText(/Round trip\s*\d+(\.\d)? ms/);
  await expectNoViolations(page);
  fake.cut(1001, { code: 4503, reason: "ra=60000 not ready" });
  await expect(connection(page)).toContainText("The session is not ready. (code 4503)");
  await expect(connection(page)).toContainText(/Next try\s*in \d+ s/);
  await page.locator(".xterm-helper-textarea").focus();
  await page.keyboard.type("later");
  await expect(connection(page)).toContainText("5 bytes typed and not delivered");
  await expectNoViolations(page);
  await page.screenshot({ path: "test-results/drawer-1440.png" });
  await connection(page).getByRole("button", { name: "Discard what waits" }).click();
  await expect(connection(page)).not.toContainText("typed and not delivered");
  await page.locator(".xterm-helper-textarea").focus();
  await page.keyboard.type("now");
  fake.mend();
  await connection(page).getByRole("button", { name: "Try now" }).click();
  await expect(page.locator("header [data-connection=live]")).toBeVisible();
  await expect.poll(() => fake.typed(1)).toBe("now");
  await expect(connection(page)).toContainText("went on exactly where it was");
  await expect(connection(page)).toContainText("The gateway was restarted (code 1001); back after");
});

test("a connection that another tab has is offered back, not fought for", async ({ page }) => {
  const fake = await open(page);
  fake.cut(4409);
  fake.mend();
  await expect(page.getByText("The same page is open in another tab, which has the connection now.")).toBeVisible();
  await page.evaluate(() => window.dispatchEvent(new Event("focus")));
  expect(fake.live).toBe(0);
  await page.getByRole("button", { name: "Take back" }).click();
  await expect(page.locator("header [data-connection=live]")).toBeVisible();
});

test.describe("on a touch screen", () => {
  test.use({ hasTouch: true, viewport: { width: 360, height: 740 } });

  for (const colorScheme of ["dark", "light"] as const) {
    test(`keys that the keyboard lacks are there, in the ${colorScheme} theme`, async ({ page }) => {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const fake = await open(page);
      const keys = page.getByRole("toolbar", { name: "Keys" });
      await page.locator(".xterm-helper-textarea").focus();
      await keys.getByRole("button", { name: "Esc" }).tap();
      await keys.getByRole("button", { name: "Tab" }).tap();
      await keys.getByRole("button", { name: "Up" }).tap();
      const control = keys.getByRole("button", { name: /Control/ });
      await control.tap();
      await expect(control).toHaveAttribute("aria-pressed", "true");
      // The keyboard stays: the terminal has kept the focus.
      await expect(page.locator(".xterm-helper-textarea")).toBeFocused();
      await page.keyboard.type("c");
      await expect(control).toHaveAttribute("aria-pressed", "false");
      await page.keyboard.type("d");
      await expect.poll(() => fake.typed(1)).toBe("\x1b\t\x1b[A\x03d");
      await expectNoViolations(page);
      await expectNoSidewaysScroll(page);
      await page.screenshot({ path: `test-results/keys-360-${colorScheme}.png` });
      await page.getByRole("button", { name: /^Connection/ }).tap();
      await expect(connection(page)).toBeVisible();
      await expectNoViolations(page);
      await expectNoSidewaysScroll(page);
      await page.screenshot({ path: `test-results/drawer-360-${colorScheme}.png` });
    });
  }
});
