import { expect, test } from "@playwright/test";
import { inhabit, longStory, run } from "../support/world";

const MESSAGES = 5_000;

/** From the navigation on, with the messages at hand. */
const SHOWN = 2_000;

/** In milliseconds; half of the frames are quicker. 60 Hz is 16.7. */
const FRAME = 20;

/** How long the page may not answer a key, in milliseconds. */
const SEARCH = 500;

test("a timeline of thousands of messages is there soon, scrolls and is searched", async ({ page }) => {
  await inhabit(page, { runs: [run("long")], messages: longStory(MESSAGES) });
  await page.goto("/ns/demo/runs/long");
  const log = page.getByRole("log", { name: "Messages" });
  const entries = log.locator("ol > li[id]");
  await expect(entries).toHaveCount(Math.ceil((MESSAGES * 2) / 3));
  const note = (type: string, value: number): void => void test.info().annotations.push({ type, description: `${Math.round(value)} ms` });
  const shown = await page.evaluate(() => performance.now());
  note("shown after", shown);

  const frames = await log.evaluate(async (box) => {
    const times: number[] = [];
    let last = await new Promise<number>(requestAnimationFrame);
    for (let step = 1; step <= 180; step += 1) {
      box.scrollTo({ top: box.scrollHeight * (1 - step / 180) });
      const now = await new Promise<number>(requestAnimationFrame);
      times.push(now - last);
      last = now;
    }
    return times.sort((one, other) => one - other);
  });
  const [median = 0, slow = 0] = [frames[90], frames[171]];
  note("median frame", median);
  note("95 of 100 frames", slow);

  const search = page.getByRole("searchbox", { name: "Search the timeline" });
  await search.focus();
  const found = await search.evaluate(async (field: HTMLInputElement) => {
    const begin = performance.now();
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(field, "ok 2000");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    while (document.querySelector("mark") === null) await new Promise(requestAnimationFrame);
    return performance.now() - begin;
  });
  note("found after", found);
  expect(shown).toBeLessThan(SHOWN);
  expect(median).toBeLessThan(FRAME);
  expect(found).toBeLessThan(SEARCH);
});
