// Finding words in a timeline. Pure.

import type { Entry, Kind } from "./timeline";

export interface Piece {
  text: string;
  found: boolean;
}

/** What is looked for, as it is compared. */
export function needleOf(words: string): string {
  return words.trim().toLowerCase();
}

/** The entries of some kinds, or of all, that hold the words. */
export function select(entries: readonly Entry[], needle: string, kinds: ReadonlySet<Kind>): readonly Entry[] {
  if (needle === "" && kinds.size === 0) return entries;
  return entries.filter((entry) => (kinds.size === 0 || entry.kinds.some((kind) => kinds.has(kind))) && (needle === "" || textOf(entry).includes(needle)));
}

/** Whether the words stand in a text. */
export function holds(text: string, needle: string): boolean {
  return needle !== "" && text.toLowerCase().includes(needle);
}

/** A text in pieces, in their order, each of which is what was looked for or is not. */
export function pieces(text: string, needle: string): Piece[] {
  const lower = text.toLowerCase();
  // Lower case of a few letters is longer: then places in one are not places in the other, and nothing is marked.
  if (needle === "" || lower.length !== text.length) return [{ text, found: false }];
  const found: Piece[] = [];
  let from = 0;
  for (let at = lower.indexOf(needle); at >= 0; at = lower.indexOf(needle, from)) {
    if (at > from) found.push({ text: text.slice(from, at), found: false });
    from = at + needle.length;
    found.push({ text: text.slice(at, from), found: true });
  }
  if (from < text.length || found.length === 0) found.push({ text: text.slice(from), found: false });
  return found;
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
