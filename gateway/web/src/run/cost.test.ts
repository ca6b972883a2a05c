import { describe, expect, it } from "vitest";
import type { Run } from "../api/types";
import { budgetShare, dollars } from "../components/money";
import { pullRequestOf, tokens } from "./cost";

const usage = { inputTokens: 1200, outputTokens: 2, cacheReadTokens: 3, cacheWriteTokens: 4, estimatedCostUSD: "1.25" };

function run(budgetUSD: string | undefined, pullRequestURL?: string): Run {
  const agent = budgetUSD === undefined ? {} : { budgetUSD };
  const status = { usage, ...(pullRequestURL !== undefined && { pullRequestURL }) };
  return { namespace: "demo", name: "x", uid: "u", createdAt: "2026-01-01T00:00:00Z", generation: 1, resourceVersion: "1", spec: { repository: { url: "https://git.example.com/a" }, plan: "x", agent }, status };
}

describe("what a run cost", () => {
  it.each([
    ["0.0017", "$0.0017"],
    ["2", "$2.00"],
    ["2.5", "$2.50"],
  ])("%s is %s", (amount, words) => {
    expect(dollars(amount)).toBe(words);
  });

  it("is held against the budget", () => {
    expect([budgetShare("1.25", "2.50"), budgetShare("1.25", "1")]).toEqual([0.5, 1]);
    expect(tokens(usage)[0]).toEqual(["Input", "1,200"]);
  });

  it("links to pages only", () => {
    expect(pullRequestOf(run("1", "https://git.example.com/a/pulls/7"))).toBe("https://git.example.com/a/pulls/7");
    expect(pullRequestOf(run("1", "javascript:alert(1)"))).toBeUndefined();
  });
});
