import { expect, test, type Page } from "@playwright/test";
import { inhabit, longStory, run } from "../support/world";

/** A few screens full: what a frame costs at least. */
const SHORT = 200;
const LONG = 5_000;

/** How much longer a frame may take, and how much later it may be there: the same browser at the same time tells both. */
const FRAME_RATIO = 2;

/** From the navigation until the newest of them is in sight, in milliseconds. */
const SHOWN = 2_000;

/** From a key until the first of what is looked for is marked, in milliseconds. */
const FOUND = 500;

test("a timeline of thousands of messages is there soon, scrolls like a short one, and is searched as one types", async ({ page }) => {
  const note = (type: string, value: number): void => void test.info().annotations.push({ type, description: `${Math.round(value)} ms` });
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
  return page.evaluate(async (last) => {
    while (document.getElementById(`message-${last}`) === null) await new Promise(requestAnimationFrame);
    return performance.now();
  }, lastEntry(count));
}

/** A call and its answer are one entry, at the place of the call. */
function lastEntry(count: number): number {
  return count % 3 === 0 ? count - 1 : count;
}

/** The median frame while one scrolls back from the end, as fast as a finger does. */
async function frame(page: Page): Promise<number> {
  const log = page.getByRole("log", { name: "Messages" });
  await expect(log).toHaveAttribute("aria-busy", "false");
  return log.evaluate(async (box) => {
    const times: number[] = [];
    let last = await new Promise<number>(requestAnimationFrame);
    for (let step = 1; step <= 180; step += 1) {
      box.scrollBy({ top: -20 });
      const now = await new Promise<number>(requestAnimationFrame);
      times.push(now - last);
      last = now;
    }
    return times.sort((one, other) => one - other)[90] ?? 0;
  });
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
