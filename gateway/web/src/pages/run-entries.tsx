import { useCallback } from "react";
import { LongList } from "../components/long-list";
import { anchorOf } from "../components/stamp";
import type { Entry } from "../run/timeline";
import { EntryRow } from "./run-entry";

/** Most are one line. */
const HEIGHT = 32;

interface Props {
  entries: readonly Entry[];
  needle: string;
  /** The anchor that the address names. */
  linked: string | undefined;
  pullRequest: string | undefined;
}

export function Entries({ entries, needle, linked, pullRequest }: Props) {
  const needed = useCallback(({ seq }: Entry) => anchorOf(seq) === linked, [linked]);
  const draw = useCallback((entry: Entry) => <EntryRow key={entry.seq} entry={entry} needle={needle} linked={linked === anchorOf(entry.seq)} pullRequest={pullRequest} />, [needle, linked, pullRequest]);
  return <LongList items={entries} height={HEIGHT} needed={needed} draw={draw} />;
}
