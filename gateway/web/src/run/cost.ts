// What a run cost and made, in words.

import type { Run } from "../api/types";

export type Usage = NonNullable<NonNullable<Run["status"]>["usage"]>;

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
