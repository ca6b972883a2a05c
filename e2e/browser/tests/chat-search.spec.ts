import { expect, test, type Page } from "@playwright/test";
import { log } from "../support/chat";
import { FakeRuntime, STORY } from "../support/fake-chat";
import { expectNoViolations } from "../support/looks";
import { chatSession, inhabit, told } from "../support/world";

/** Before anything that the runtime of the test tells. */
const LONG_AGO = "2025-12-01T09:00:00Z";

const found = (page: Page) => page.getByRole("list", { name: "Found in the archive" }).getByRole("button");
const earlier = (page: Page) => page.getByRole("region", { name: "Earlier, in the archive" });

/** A chat whose runtime tells the story, and whose former pods told what the archive keeps. */
async function open(page: Page, archive: object[]): Promise<void> {
  await inhabit(page, { runs: [], sessions: [chatSession("talk")], messages: archive });
  (await FakeRuntime.serve(page)).tell(...STORY);
  await page.goto("/ns/demo/sessions/talk");
  await expect(log(page)).toHaveAttribute("aria-busy", "false");
}

const kept = (seq: number, kind: string, message: string, metadata: object = {}): object => ({ ...told(seq, kind, message, metadata), createdAt: LONG_AGO });

async function search(page: Page, words: string): Promise<void> {
  await log(page).focus();
  await page.keyboard.press("/");
  await page.getByRole("searchbox", { name: "Search the chat" }).fill(words);
}

test("what the archive alone keeps is found, and one is led to where it was said", async ({ page }) => {
  const before = Array.from({ length: 60 }, (_, at) => kept(at + 1, "said", `Talk number ${at + 1}.`));
  before[29] = kept(30, "message", "The **hinge** squeaks, too.", { author: "grace" });
  before[30] = kept(31, "usage", "hinge");
  // The page has this one itself: it is no older than what it holds.
  const newer = told(61, "said", "The hinge again.");
  await open(page, [...before, newer]);
  await search(page, "Hinge");
  await expect(found(page)).toHaveCount(1);
  await expect(earlier(page).getByRole("status")).toHaveText("Earlier, in the archive: 1");
  await expect(found(page)).toContainText("grace");
  await expect(found(page).locator("mark")).toHaveText("hinge");
  await expectNoViolations(page);

  await found(page).click();
  const dialog = page.getByRole("dialog", { name: "In the archive" });
  const hit = dialog.locator("[aria-current]");
  await expect(hit).toContainText("squeaks, too");
  await expect(hit).toBeInViewport();
  await expect(dialog).toContainText("Talk number 29.");
  await expect(dialog).toContainText("Talk number 32.");
  await expect(dialog).not.toContainText("Talk number 2.");
  await dialog.getByRole("button", { name: "Earlier" }).click();
  await expect(dialog).toContainText("Talk number 2.");
  await expectNoViolations(page);
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
});

test("of much that is found a part is shown, and more when it is wanted", async ({ page }) => {
  await open(page, Array.from({ length: 250 }, (_, at) => kept(at + 1, "said", `The door, look ${at + 1}.`)));
  await search(page, "the door");
  await expect(found(page)).toHaveCount(100);
  await earlier(page).getByRole("button", { name: "Look for more" }).click();
  await expect(found(page)).toHaveCount(200);
  await earlier(page).getByRole("button", { name: "Look for more" }).click();
  await expect(found(page)).toHaveCount(250);
  await expect(earlier(page).getByRole("button", { name: "Look for more" })).toBeHidden();
  await page.getByRole("searchbox", { name: "Search the chat" }).press("Escape");
  await expect(earlier(page)).toBeHidden();
});

test("without an archive the page finds what it holds, and the time of an entry leads to where it stands", async ({ page }) => {
  await open(page, []);
  await search(page, "expected 10.01");
  await expect(log(page).locator("[data-entry]")).toHaveCount(1);
  await expect(earlier(page)).toBeHidden();
  const address = await log(page).locator("[data-entry]").getAttribute("id");
  await log(page).locator("[data-entry] a").first().click();
  await expect(page.getByRole("searchbox", { name: "Search the chat" })).toHaveValue("");
  await expect(log(page).locator(`[id="${address ?? ""}"]`)).toBeInViewport();
  expect(await log(page).locator("[data-entry]").count()).toBeGreaterThan(1);
});
