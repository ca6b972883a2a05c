// Many pages that lose their gateway at the same moment must not come back as one wave. Each page is a link of its own;
// the only thing that they share is the clock. Numbers come from a generator with a seed, so every run is the same.

import { describe, expect, it } from "vitest";
import { earliest, Link } from "./link";

const PAGES = 500;
/** No hundred milliseconds after the first wave may see more than this share of the pages. */
const SHARE = 0.2;
const BIN = 100;
const SEEDS = 2;
/** A busy machine takes longer for half a million steps than a test has by itself, in milliseconds. */
const PATIENCE = 60_000;

/** A generator of numbers below 1 (mulberry32). */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Answer = "welcome" | { code: number; reason: string };

/** Cuts all pages at 0 and tells when each of them tried, in milliseconds, until `until`. */
function storm(seed: number, until: number, code: number, answer: (now: number) => Answer): { tries: number[]; live: number } {
  const random = dice(seed);
  const tries: number[] = [];
  let now = 0;
  const pages = Array.from({ length: PAGES }, () => {
    const page: { link: Link; asked: boolean } = { asked: false, link: undefined as unknown as Link };
    page.link = new Link(
      { visible: true, online: true, session: "ready", random },
      { greet: () => undefined, ping: () => undefined, lost: () => undefined, forbidden: "" },
      (effect) => {
        if (effect.do !== "connect") return;
        tries.push(now);
        page.asked = true;
      },
    );
    now = -60_000;
    page.link.handle({ type: "start" }, now);
    page.link.handle({ type: "opened" }, now);
    page.link.welcomed(now);
    page.asked = false;
    return page;
  });
  tries.length = 0;
  now = 0;
  for (const { link } of pages) link.handle({ type: "closed", code, reason: "" }, 0);
  while (now <= until) {
    for (const page of pages.filter(({ asked }) => asked)) {
      page.asked = false;
      const said = answer(now);
      page.link.handle({ type: "opened" }, now);
      if (said === "welcome") page.link.welcomed(now);
      else page.link.handle({ type: "closed", ...said }, now);
    }
    // A page that is connected has only its pings to wait for.
    const due = pages.map(({ link }) => (link.live ? undefined : earliest(link.deadlines())));
    const next = earliest(due);
    if (next === undefined) break;
    now = Math.max(now, next);
    pages.forEach(({ link }, at) => (due[at] ?? Number.POSITIVE_INFINITY) <= now && link.handle({ type: "tick" }, now));
  }
  return { tries, live: pages.filter(({ link }) => link.live).length };
}

/** The largest share of the pages that tried within any hundred milliseconds from `from` on. */
function largestWave(tries: number[], from: number): number {
  const sorted = tries.filter((at) => at >= from).toSorted((one, other) => one - other);
  let first = 0;
  let most = 0;
  sorted.forEach((at, index) => {
    while ((sorted[first] ?? at) <= at - BIN) first += 1;
    most = Math.max(most, index - first + 1);
  });
  return most / PAGES;
}

describe(`${PAGES} pages that are cut at once`, { timeout: PATIENCE }, () => {
  const down = { code: 1006, reason: "" };

  it.each([
    ["a gateway that is back at once", 0],
    ["a gateway that is away for a second", 1_000],
    ["a gateway that is away for five seconds", 5_000],
    ["a gateway that is away for half a minute", 30_000],
    ["a gateway that is away for three minutes", 180_000],
  ])("come back to %s without a second wave", (_name, away) => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { tries, live } = storm(seed, away + 60_000, 1001, (now) => (now >= away ? "welcome" : down));
      expect(live).toBe(PAGES);
      expect(tries.length).toBeGreaterThanOrEqual(PAGES);
      expect(largestWave(tries, BIN)).toBeLessThanOrEqual(SHARE);
    }
  });

  it("are kept apart by a server that tells all of them the same time to come back", () => {
    const { tries, live } = storm(7, 60_000, 1012, (now) => (now >= 4_000 ? "welcome" : { code: 4503, reason: "ra=1000 not ready" }));
    expect(live).toBe(PAGES);
    expect(largestWave(tries, BIN)).toBeLessThanOrEqual(SHARE);
  });

  it("ask a gateway that is overrun no more than a few times each", () => {
    const { tries } = storm(9, 60_000, 1011, () => down);
    expect(tries.length / PAGES).toBeLessThanOrEqual(9);
  });
});
