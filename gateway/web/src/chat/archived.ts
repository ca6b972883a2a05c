// What the archive keeps of a chat and the page does not hold, as lines: what was said in former pods, and what was dropped of
// a long one. Pure.

import type { FoundMessages, RunMessage } from "../api/types";
import type { Entry } from "./entries";

export interface Line {
  seq: number;
  time: string;
  /** Who said it, or what it is. */
  who: string;
  text: string;
}

/** What one reads of a message; nothing where it only says how something else stands. */
export function lineOf({ seq, createdAt: time, type, content: { message: text, metadata } }: RunMessage): Line | undefined {
  const who = type === "error" ? "Error" : whoOf(metadata);
  return who === undefined || text === "" ? undefined : { seq, time, who, text };
}

function whoOf(metadata: RunMessage["content"]["metadata"]): string | undefined {
  // It was written by a pod: nothing of it is believed to have the type that it should have.
  const word = (name: string): string => {
    const value: unknown = metadata[name];
    return typeof value === "string" ? value : "";
  };
  switch (word("kind")) {
    case "message":
      return word("author") || "Somebody";
    case "said":
      return "Agent";
    case "thought":
      return "Thought";
    case "toolStarted":
      return word("name") || "Tool";
    case "toolFinished":
      return "Answer of a tool";
    case "question":
      return "Question";
    case "answered":
      return `Answer of ${word("answeredBy") || "somebody"}`;
    case "phase":
      return "Phase";
    case "workflowStarted":
    case "workflowEnded":
      return "Workflow";
    case "step":
      return "Step";
    default:
      return undefined;
  }
}

/** When what the page holds begins. A question that is still open stays on the page, however old it is. */
export function beginning(entries: readonly Entry[]): number {
  const oldest = entries.find((entry) => entry.is !== "question" || entry.answer !== undefined);
  return oldest === undefined ? Number.POSITIVE_INFINITY : Date.parse(oldest.time);
}

/** Of what was found, what is older than what the page holds. */
export function older(parts: readonly FoundMessages[], before: number): Line[] {
  return parts.flatMap(({ items }) => items.filter((message) => isOlder(message, before)).flatMap((message) => lineOf(message) ?? []));
}

/** Where to look on; nowhere when what comes then is on the page. */
export function nextOf({ items, next }: FoundMessages, before: number): number | undefined {
  const last = items.at(-1);
  return last === undefined || isOlder(last, before) ? next : undefined;
}

function isOlder({ createdAt }: RunMessage, before: number): boolean {
  return Date.parse(createdAt) < before;
}
