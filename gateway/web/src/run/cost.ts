// What a run cost, in words. Money is a decimal string and is never calculated with but for the width of a bar.

import type { Run } from "../api/types";

export type Usage = NonNullable<NonNullable<Run["status"]>["usage"]>;

/** The amount as it is told, with at least two decimals. */
export function dollars(amount: string): string {
  const [whole = "0", decimals = ""] = amount.split(".");
  return `$${whole}.${decimals.padEnd(2, "0")}`;
}

/** The share of the budget that is used, 0 to 1; none without a budget of its own. */
export function budgetShare(run: Run): number | undefined {
  const budget = run.spec.agent?.budgetUSD;
  if (budget === undefined) return undefined;
  return Math.min(1, Number(run.status?.usage?.estimatedCostUSD ?? "0") / Number(budget));
}

/** Tokens by class. */
export function tokens(usage: Usage): [string, string][] {
  const classes: [string, number][] = [
    ["Input", usage.inputTokens],
    ["Output", usage.outputTokens],
    ["Read from the cache", usage.cacheReadTokens],
    ["Written to the cache", usage.cacheWriteTokens],
  ];
  return classes.map(([name, count]) => [name, count.toLocaleString("en-GB")]);
}

/** An address that may stand in a link: what the status holds was told by a forge. */
export function pullRequestOf(run: Run): string | undefined {
  const url = run.status?.pullRequestURL;
  return url !== undefined && /^https?:\/\//.test(url) ? url : undefined;
}
