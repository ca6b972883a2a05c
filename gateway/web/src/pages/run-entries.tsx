import { memo } from "react";
import type { Entry } from "../run/timeline";
import { anchorOf, EntryRow } from "./run-entry";

/** How many entries one block has: a few blocks fill a screen, and a long timeline has not too many of them. */
const BLOCK = 40;

/** How high an entry is that nobody has seen yet, in pixels: most are one line. */
const HEIGHT = 32;

interface Props {
  entries: readonly Entry[];
  needle: string;
  /** The anchor that the address names. */
  linked: string | undefined;
  pullRequest: string | undefined;
}

/**
 * The entries in blocks. The browser lays out no block that is out of sight, which is what lets thousands of entries
 * stand in one page, where its own search finds them too.
 */
export function Entries({ entries, ...rest }: Props) {
  const count = Math.ceil(entries.length / BLOCK);
  return (
    <div className="py-1.5">
      {Array.from({ length: count }, (_, at) => (
        <Block key={at} entries={entries.slice(at * BLOCK, (at + 1) * BLOCK)} {...rest} />
      ))}
    </div>
  );
}

const Block = memo(function Block({ entries, needle, linked, pullRequest }: Props) {
  return (
    <ol className="[content-visibility:auto]" style={{ containIntrinsicSize: `auto ${entries.length * HEIGHT}px` }}>
      {entries.map((entry) => (
        <EntryRow key={entry.seq} entry={entry} needle={needle} linked={linked === anchorOf(entry.seq)} pullRequest={pullRequest} />
      ))}
    </ol>
  );
}, sameEntries);

/** Blocks are cut anew each time; what counts is what stands in them. */
function sameEntries(before: Props, after: Props): boolean {
  const { entries: old, ...others } = before;
  const { entries, ...rest } = after;
  return others.needle === rest.needle && others.linked === rest.linked && others.pullRequest === rest.pullRequest && old.length === entries.length && old.every((entry, at) => entry === entries[at]);
}
