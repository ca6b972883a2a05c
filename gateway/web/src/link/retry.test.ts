import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Retry, STABLE, TRIES } from "./retry";

const half = (): number => 0.5;

describe("Retry", () => {
  it("tries at once after a good connection, then spreads out", () => {
    const retry = new Retry(half);
    expect(retry.afterLoss(STABLE)).toBe(50);
    expect(retry.afterLoss(0)).toBe(875);
    expect(retry.afterLoss(0)).toBe(1_437.5);
    expect(retry.afterLoss(STABLE)).toBe(50);
  });

  it("opens the breaker at the fifth failure within a minute, and closes it at WELCOME", () => {
    const retry = new Retry(half);
    for (const at of [0, 1, 2, 3]) retry.afterFailure(at);
    expect(retry.breakerOpen).toBe(false);
    expect(retry.afterFailure(4)).toBe(20_000);
    expect(retry.afterFailure(200_000)).toBe(20_000);
    retry.welcomed();
    expect(retry.breakerOpen).toBe(false);
    expect(retry.afterFailure(200_001)).toBeLessThanOrEqual(10_000);
  });

  it("does not open it for failures that are far apart", () => {
    const retry = new Retry(half);
    for (let at = 0; at < 10; at += 1) retry.afterFailure(at * 20_000);
    expect(retry.breakerOpen).toBe(false);
  });

  it("keeps the server's hint within bounds, and apart from others'", () => {
    const retry = new Retry(half);
    expect(retry.afterHint(700)).toBe(1_200);
    expect(retry.afterHint(0)).toBe(600);
    expect(retry.afterHint(9_999_999)).toBe(300_500);
  });

  it("lets a page try so often in a minute, and no more", () => {
    const retry = new Retry(half);
    for (let at = 0; at < TRIES; at += 1) {
      expect(retry.allowed(at)).toBe(at);
      retry.tried(at);
    }
    expect(retry.allowed(TRIES)).toBe(60_000);
    expect(retry.allowed(70_000)).toBe(70_000);
  });

  it("never gives up and never hurries: every delay is within its bounds", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), lived: fc.option(fc.nat({ max: 60_000 })) })), (losses) => {
        let random = 0;
        const retry = new Retry(() => random);
        losses.forEach((loss, index) => {
          random = loss.random;
          const delay = loss.lived === null ? retry.afterFailure(index * 5_000) : retry.afterLoss(loss.lived);
          expect(delay).toBeGreaterThanOrEqual(0);
          expect(delay).toBeLessThanOrEqual(retry.breakerOpen ? 25_000 : 10_000);
        });
      }),
    );
  });
});
