import type { Page } from "@playwright/test";

/** Chooses a card as a person does, who sees no radio button: once the dialog stands still. */
export async function choose(page: Page, name: RegExp): Promise<void> {
  await page.locator("label").filter({ has: page.getByRole("radio", { name }) }).click();
}
