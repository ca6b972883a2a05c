// Finding words in a timeline. Pure.

import type { Entry, Kind } from "./timeline";

/** The entries of some kinds, or of all, that hold the words. */
export function select(entries: readonly Entry[], needle: string, kinds: ReadonlySet<Kind>): readonly Entry[] {
  if (needle === "" && kinds.size === 0) return entries;
  return entries.filter((entry) => (kinds.size === 0 || entry.kinds.some((kind) => kinds.has(kind))) && (needle === "" || textOf(entry).includes(needle)));
}

/** Entries never change, so what is looked through is made once. */
const texts = new WeakMap<Entry, string>();

function textOf(entry: Entry): string {
  const known = texts.get(entry);
  if (known !== undefined) return known;
  const text = words(entry).join("\n").toLowerCase();
  texts.set(entry, text);
  return text;
}

function words(entry: Entry): string[] {
  switch (entry.is) {
    case "line":
    case "said":
    case "phase":
      return [entry.text];
    case "tool":
      return [entry.name, entry.input, entry.answer?.output ?? ""];
    case "question":
      return [entry.text, ...entry.options, entry.answer?.text ?? "", entry.answer?.by ?? ""];
    case "changes":
      return entry.changes.files.map(({ path }) => path);
  }
}
