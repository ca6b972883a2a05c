import { memo, useEffect, useState } from "react";
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

/** The entries in blocks: those that nobody comes near to are not drawn, so thousands cost no more than a few. */
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
  const [near, place] = useNear();
  const height = entries.length * HEIGHT;
  if (!near && !entries.some(({ seq }) => anchorOf(seq) === linked)) return <div ref={place} style={{ height }} />;
  return (
    <ol className="[content-visibility:auto]" style={{ containIntrinsicSize: `auto ${height}px` }}>
      {entries.map((entry) => (
        <EntryRow key={entry.seq} entry={entry} needle={needle} linked={linked === anchorOf(entry.seq)} pullRequest={pullRequest} />
      ))}
    </ol>
  );
}, sameEntries);

/** Nearer than this to what is in sight, one is about to see it. */
const NEAR = "1000px 0px";

/** Whether somebody has come near to an element; what was drawn once stays, and costs little while it is out of sight. */
function useNear(): [boolean, (element: HTMLElement | null) => void] {
  const [element, setElement] = useState<HTMLElement | null>(null);
  const [near, setNear] = useState(false);
  useEffect(() => {
    if (element === null) return;
    const observer = new IntersectionObserver((seen) => seen.some(({ isIntersecting }) => isIntersecting) && setNear(true), { root: element.closest("[role=log]"), rootMargin: NEAR });
    observer.observe(element);
    return () => observer.disconnect();
  }, [element]);
  return [near, setElement];
}

/** Blocks are cut anew each time; what counts is what stands in them. */
function sameEntries(before: Props, after: Props): boolean {
  const { entries: old, ...others } = before;
  const { entries, ...rest } = after;
  return others.needle === rest.needle && others.linked === rest.linked && others.pullRequest === rest.pullRequest && old.length === entries.length && old.every((entry, at) => entry === entries[at]);
}
