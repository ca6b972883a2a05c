import { expect, it } from "vitest";
import { effectiveBudget } from "./money";

it("a spec's own budget goes before the cluster's", () => {
  expect(effectiveBudget("2.50", "9")).toEqual({ amount: "2.50", isDefault: false });
  expect(effectiveBudget(undefined, "9")).toEqual({ amount: "9", isDefault: true });
  expect(effectiveBudget(undefined, undefined)).toBeUndefined();
});
