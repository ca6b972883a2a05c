import { expect, test, type Page } from "@playwright/test";
import { card, open, text } from "../support/chat";
import { APPROVAL, STORY } from "../support/fake-chat";

/** A browser whose user decides so when asked for leave to notify. */
async function decideOnNotices(page: Page, decision: NotificationPermission): Promise<void> {
  await page.addInitScript((decided) => {
    const notices: string[] = [];
    class Recorder {
      static permission: NotificationPermission = "default";
      static requestPermission = async (): Promise<NotificationPermission> => (Recorder.permission = decided);
      constructor(title: string, { body }: { body: string }) {
        notices.push(`${title}: ${body}`);
      }
    }
    Object.assign(window, { Notification: Recorder, notices });
  }, decision);
}

/** What the browser was given to show. */
const notices = (page: Page) => page.evaluate(() => (window as unknown as { notices: string[] }).notices);

async function lookElsewhere(page: Page): Promise<void> {
  await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
}

const bell = (page: Page) => page.getByRole("button", { name: "Notify me when I am needed" });

test("a question notifies whoever looks elsewhere, once, when the bell was given leave", async ({ page }) => {
  await decideOnNotices(page, "granted");
  const runtime = await open(page, STORY);
  await bell(page).click();
  await expect(bell(page)).toBeHidden();
  await lookElsewhere(page);
  runtime.tell(APPROVAL, text("x", "I wait."));
  await expect.poll(() => notices(page)).toEqual(["talk waits for you: May the pull request be opened?"]);
});

test("who refuses leave is not asked again, and not notified", async ({ page }) => {
  await decideOnNotices(page, "denied");
  const runtime = await open(page, STORY);
  await bell(page).click();
  await expect(bell(page)).toBeHidden();
  await lookElsewhere(page);
  runtime.tell(APPROVAL);
  await expect(card(page)).toBeVisible();
  expect(await notices(page)).toEqual([]);
});
