import { expect, test, type Page } from "@playwright/test";
import { namespace } from "../support/api";
import { CHROMIUM_FLAGS, uniqueName } from "../support/environment";
import { READABLE, Terminal } from "../support/terminal";

test.use({ launchOptions: { executablePath: "/usr/bin/chromium", args: [...CHROMIUM_FLAGS, ...READABLE] } });

/** Tabs until something of this name has the focus; fails when it is never reached. */
async function tabTo(page: Page, label: RegExp): Promise<void> {
  for (let step = 0; step < 40; step += 1) {
    const focused = page.locator(":focus");
    if ((await focused.count()) > 0) {
      const words = await focused.evaluate((element) => element.getAttribute("aria-label") ?? (element as HTMLInputElement).labels?.[0]?.textContent ?? element.textContent);
      if (label.test(words ?? "")) return;
    }
    await page.keyboard.press("Tab");
  }
  throw new Error(`${label} is not reached by Tab`);
}

test("create, use and delete a session without a mouse", async ({ page }) => {
  const name = uniqueName("keys");
  await page.goto("/sessions");
  await page.getByRole("heading", { name: "Sessions", level: 1 }).waitFor();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("new session");
  await page.keyboard.press("Enter");

  await tabTo(page, /^Name$/);
  await page.keyboard.type(name);
  await tabTo(page, /Create session/);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(new RegExp(`/ns/${await namespace()}/sessions/${name}$`));

  const terminal = new Terminal(page);
  await terminal.connected();
  await terminal.run("echo keyed-$((9 + 9))", "keyed-18");

  await page.keyboard.press("Control+Shift+ArrowUp");
  await tabTo(page, /^Session menu$/);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("menuitem").first()).toBeFocused();
  await page.keyboard.press("End");
  await expect(page.getByRole("menuitem", { name: "Delete…" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog", { name: `Delete ${name}?` })).toBeVisible();
  await tabTo(page, /Delete session/);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/sessions$/);
  await expect(page.getByRole("link", { name, exact: true })).toBeHidden({ timeout: 60_000 });
});
