import { expect, test, type Page } from "@playwright/test";
import { inhabit, longStory, run } from "../support/world";
import { FRAME_RATIO, LONG, note, scroll, SHORT, SHOWN, untilShown } from "./log";

/** From a key until the first of what is looked for is marked, in milliseconds. */
const FOUND = 500;

test("a timeline of thousands of messages is there soon, scrolls like a short one, and is searched as one types", async ({ page }) => {
  await open(page, SHORT);
  const short = await frame(page);
  const shown = await open(page, LONG);
  const long = await frame(page);
  const found = await search(page, `file-${LONG / 2 - 1}`);
  note(`frame of ${SHORT}`, short);
  note(`frame of ${LONG}`, long);
  note("shown after", shown);
  note("found after", found);
  expect(long).toBeLessThan(FRAME_RATIO * short);
  expect(shown).toBeLessThan(SHOWN);
  expect(found).toBeLessThan(FOUND);
});

/** Opens a run of so many messages; says after how long the newest of them was there. */
async function open(page: Page, count: number): Promise<number> {
  await inhabit(page, { runs: [run(`of-${count}`)], messages: longStory(count) });
  await page.goto(`/ns/demo/runs/of-${count}`);
  return untilShown(page, lastEntry(count));
}

/** A call and its answer are one entry, at the place of the call. */
function lastEntry(count: number): number {
  return count % 3 === 0 ? count - 1 : count;
}

/** The median frame of what is drawn in full. */
async function frame(page: Page): Promise<number> {
  const log = page.getByRole("log", { name: "Messages" });
  await expect(log).toHaveAttribute("aria-busy", "false");
  return (await scroll(log)).median;
}

/** How long it takes from a key to the first mark. */
async function search(page: Page, words: string): Promise<number> {
  return page.getByRole("searchbox", { name: "Search the timeline" }).evaluate(async (field, value) => {
    const begin = performance.now();
    // React hears of a value that was set as a person sets it.
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(field, value);
    field.dispatchEvent(new Event("input", { bubbles: true }));
    while (document.querySelector("mark") === null) await new Promise(requestAnimationFrame);
    return performance.now() - begin;
  }, words);
}
