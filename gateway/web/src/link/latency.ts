// How far away the other end is: the median of the last pings, so that one that waited behind output does not count.

const KEPT = 5;

export class Latency {
  #last: number[] = [];

  add(milliseconds: number): void {
    this.#last = [...this.#last, milliseconds].slice(-KEPT);
  }

  /** In milliseconds; undefined before the first answer. */
  get median(): number | undefined {
    const sorted = this.#last.toSorted((one, other) => one - other);
    return sorted[Math.floor((sorted.length - 1) / 2)];
  }

  /** Another connection may go another way. */
  forget(): void {
    this.#last = [];
  }
}
