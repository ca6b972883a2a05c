// When to try again. The first retry is at once, later ones spread out, and it never gives up: after many failures a
// breaker leaves only rare probes, so that a returning gateway is not met by a crowd. Whatever happens, tries that
// nobody asked for are bounded.

const FIRST = 100;
const SHORTEST = 250;
/** The second try is spread over this much, so that pages that were cut together do not come back as one wave. */
const SPREAD = 1_250;
const LONGEST = 10_000;

/** Failures before WELCOME within the window that open the breaker. */
const BREAKER_FAILURES = 5;
const BREAKER_WINDOW = 60_000;
const PROBE = 20_000;
const PROBE_SPREAD = 0.25;

/** How long a server's hint is stretched at most, for it tells the same one to all. */
const HINT_SPREAD = 1_000;
/** A hint is kept within these: none may make the page hurry, or never come back. */
const LEAST_HINT = 100;
const LONGEST_HINT = 300_000;

/** Tries of the page's own accord in any minute: windows that flap their focus and servers that close at once included. */
export const TRIES = 30;
const TRIES_WINDOW = 60_000;

/** A connection that lived this long was a good one: the next loss starts afresh. */
export const STABLE = 30_000;

export class Retry {
  #previous = 0;
  #failures: number[] = [];
  #tries: number[] = [];
  #open = false;

  constructor(private readonly random: () => number) {}

  get breakerOpen(): boolean {
    return this.#open;
  }

  /** A socket was lost after WELCOME. */
  afterLoss(lived: number): number {
    if (lived >= STABLE) this.#previous = 0;
    return this.#backOff();
  }

  /** A socket never got as far as WELCOME. */
  afterFailure(now: number): number {
    this.#failures = this.#failures.filter((at) => now - at < BREAKER_WINDOW);
    this.#failures.push(now);
    this.#open ||= this.#failures.length >= BREAKER_FAILURES;
    return this.#open ? this.probe() : this.#backOff();
  }

  /** The server said when to come back: not before, and not all at once. */
  afterHint(milliseconds: number): number {
    const least = Math.min(LONGEST_HINT, Math.max(LEAST_HINT, milliseconds));
    return least + this.random() * HINT_SPREAD;
  }

  /** The rare try while nothing promises success. */
  probe(): number {
    return PROBE * (1 + PROBE_SPREAD * (2 * this.random() - 1));
  }

  /** A try begins. */
  tried(now: number): void {
    this.#tries = [...this.#tries, now].slice(-TRIES);
  }

  /** The first moment from `at` on at which the page may try by itself. */
  allowed(at: number): number {
    const oldest = this.#tries.length < TRIES ? undefined : this.#tries[0];
    return oldest === undefined ? at : Math.max(at, oldest + TRIES_WINDOW);
  }

  /** WELCOME came: the way is free. The delay itself shrinks only after a stable connection. */
  welcomed(): void {
    this.#open = false;
    this.#failures = [];
  }

  #backOff(): number {
    if (this.#previous === 0) {
      this.#previous = SHORTEST;
      return this.random() * FIRST;
    }
    const most = Math.max(SHORTEST + SPREAD, 3 * this.#previous);
    const delay = Math.min(LONGEST, SHORTEST + this.random() * (most - SHORTEST));
    this.#previous = delay;
    return delay;
  }
}
