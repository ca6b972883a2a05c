// When to try again. The first retry is at once, later ones spread out, and it never gives up: after many failures a
// breaker leaves only rare probes, so that a returning gateway is not met by a crowd.

const FIRST = 100;
const SHORTEST = 250;
const LONGEST = 10_000;

/** Failures before WELCOME within the window that open the breaker. */
const BREAKER_FAILURES = 5;
const BREAKER_WINDOW = 60_000;
const PROBE = 20_000;
const PROBE_SPREAD = 0.25;

/** A connection that lived this long was a good one: the next loss starts afresh. */
export const STABLE = 30_000;

export class Retry {
  #previous = 0;
  #failures: number[] = [];
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

  /** The rare try while nothing promises success. */
  probe(): number {
    return PROBE * (1 + PROBE_SPREAD * (2 * this.random() - 1));
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
    const delay = Math.min(LONGEST, SHORTEST + this.random() * (3 * this.#previous - SHORTEST));
    this.#previous = delay;
    return delay;
  }
}
