// Money in words. It is a decimal string and is never calculated with but for the width of a bar.

/** The amount as it is told, with at least two decimals. */
export function dollars(amount: string): string {
  const [whole = "0", decimals = ""] = amount.split(".");
  return `$${whole}.${decimals.padEnd(2, "0")}`;
}

export interface Budget {
  amount: string;
  /** The spec says nothing: it is what the chart says now. */
  isDefault: boolean;
}

/** What bounds the cost: the spec's own budget, else the cluster's. */
export function effectiveBudget(own: string | undefined, cluster: string | undefined): Budget | undefined {
  const amount = own ?? cluster;
  return amount === undefined ? undefined : { amount, isDefault: own === undefined };
}

/** The share of a budget that is used, 0 to 1. */
export function budgetShare(cost: string, budget: string): number {
  return Math.min(1, Number(cost) / Number(budget));
}
