import { expect, it } from "vitest";
import { Latency } from "./latency";

it("is the median of the last pings: one that waited does not count", () => {
  const latency = new Latency();
  expect(latency.median).toBeUndefined();
  for (const [time, median] of [
    [40, 40],
    [900, 40],
    [20, 40],
    [30, 30],
    [50, 40],
    [60, 50],
  ] as const) {
    latency.add(time);
    expect(latency.median).toBe(median);
  }
  latency.forget();
  expect(latency.median).toBeUndefined();
});
