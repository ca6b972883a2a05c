// Finding words in a chat. Pure.

import { auditWords } from "../components/audit";
import { searcher } from "../components/find";
import type { Entry } from "./entries";

const stands = searcher(words);

/** The entries that hold the words; all of them when there are none. */
export function select(entries: readonly Entry[], needle: string): readonly Entry[] {
  return needle === "" ? entries : entries.filter((entry) => stands(entry, needle));
}

function words(entry: Entry): string[] {
  switch (entry.is) {
    case "user":
      return [entry.author, entry.text];
    case "said":
    case "line":
    case "error":
    case "ended":
      return [entry.text];
    case "tool":
      return [entry.name, entry.input, entry.answer?.output ?? "", entry.audit === undefined ? "" : auditWords(entry.audit)];
    case "phase":
      return [entry.phase, entry.step ?? "", entry.message ?? ""];
    case "question":
      return [entry.text, ...entry.options, entry.answer?.text ?? "", entry.answer?.by ?? ""];
    case "begun":
      return [entry.workId];
  }
}
