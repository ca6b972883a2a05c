// Finding words in texts. Pure.

export interface Piece {
  text: string;
  found: boolean;
}

/** What is looked for, as it is compared. */
export function needleOf(words: string): string {
  return words.trim().toLowerCase();
}

/** Whether the words stand in a text. */
export function holds(text: string, needle: string): boolean {
  return needle !== "" && text.toLowerCase().includes(needle);
}

/** Says of entries, which never change, whether the words stand in one of their texts. What is looked through is made once. */
export function searcher<Entry extends object>(textsOf: (entry: Entry) => readonly string[]): (entry: Entry, needle: string) => boolean {
  const known = new WeakMap<Entry, string>();
  return (entry, needle) => {
    const text = known.get(entry) ?? textsOf(entry).join("\n").toLowerCase();
    known.set(entry, text);
    return text.includes(needle);
  };
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
