// Finding words in a timeline. Pure.

import { auditWords } from "../components/audit";
import { searcher } from "../components/find";
import type { Entry, Kind } from "./timeline";

const stands = searcher(words);

/** The entries of some kinds, or of all, that hold the words. */
export function select(entries: readonly Entry[], needle: string, kinds: ReadonlySet<Kind>): readonly Entry[] {
  if (needle === "" && kinds.size === 0) return entries;
  return entries.filter((entry) => (kinds.size === 0 || entry.kinds.some((kind) => kinds.has(kind))) && (needle === "" || stands(entry, needle)));
}

function words(entry: Entry): string[] {
  switch (entry.is) {
    case "line":
    case "said":
    case "phase":
      return [entry.text];
    case "tool":
      return [entry.name, entry.input, entry.answer?.output ?? "", entry.audit === undefined ? "" : auditWords(entry.audit)];
    case "question":
      return [entry.text, ...entry.options, entry.answer?.text ?? "", entry.answer?.by ?? ""];
    case "changes":
      return entry.changes.files.map(({ path }) => path);
  }
}
