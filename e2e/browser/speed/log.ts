// How fast a page with a log of messages is: a long log beside a short one, in the same browser at the same time.

import { test, type Locator, type Page } from "@playwright/test";

/** A few screens full: what a frame costs at least. */
export const SHORT = 200;
export const LONG = 5_000;

/** How much longer a frame may take. */
export const FRAME_RATIO = 2;

/** From the navigation until the newest of them is in sight, in milliseconds. */
export const SHOWN = 2_000;

/** So many frames make a median that one slow frame does not move. */
const FRAMES = 180;

/** Writes a figure into the report, in milliseconds. */
export function note(type: string, value: number): void {
  test.info().annotations.push({ type, description: `${Math.round(value)} ms` });
}

/** After how long a message was there. */
export async function untilShown(page: Page, message: number): Promise<number> {
  return page.evaluate(async (last) => {
    while (document.getElementById(`message-${last}`) === null) await new Promise(requestAnimationFrame);
    return performance.now();
  }, message);
}

export interface Frames {
  median: number;
  longest: number;
}

/** The frames while one scrolls back from the end, as fast as a finger does. */
export async function scroll(log: Locator): Promise<Frames> {
  return log.evaluate(async (box, frames) => {
    const times: number[] = [];
    let last = await new Promise<number>(requestAnimationFrame);
    for (let step = 1; step <= frames; step += 1) {
      box.scrollBy({ top: -20 });
      const now = await new Promise<number>(requestAnimationFrame);
      times.push(now - last);
      last = now;
    }
    times.sort((one, other) => one - other);
    return { median: times[frames / 2] ?? 0, longest: times.at(-1) ?? 0 };
  }, FRAMES);
}
