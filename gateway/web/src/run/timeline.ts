// What a run told, as one line of time: messages become entries, and a tool's call and answer become one. Pure.

import type { Message, RunMessage } from "../api/types";
import { calledBy, type Audit } from "../components/audit";

/** What one can narrow a timeline down to. */
export const KINDS = ["progress", "tools", "errors", "questions"] as const;
export type Kind = (typeof KINDS)[number];

export interface Change {
  path: string;
  added: number;
  removed: number;
  binary: boolean;
}

export interface Changes {
  files: Change[];
  /** How many files were left out. */
  more: number;
  added: number;
  removed: number;
}

interface Base {
  seq: number;
  time: string;
  kinds: readonly Kind[];
}

export type Line = Base & { is: "line"; mark: Message["type"]; text: string };
export type Said = Base & { is: "said"; text: string };
export type Phase = Base & { is: "phase"; phase: string; status: string; text: string };
export type Tool = Base & { is: "tool"; id: string; name: string; input: string; answer?: { output: string; failed: boolean; time?: string }; audit?: Audit };
export type Asked = Base & { is: "question"; id: string; text: string; options: string[]; answer?: { text: string; by: string | undefined; time: string } };
export type Changed = Base & { is: "changes"; changes: Changes };

export type Entry = Line | Said | Phase | Tool | Asked | Changed;

export interface Timeline {
  entries: readonly Entry[];
  /** Where calls and questions stand that may still be answered. */
  open: ReadonlyMap<string, number>;
}

export const NOTHING: Timeline = { entries: [], open: new Map() };

/** A timeline that goes on. Entries that did not change stay the same objects, so that nobody draws them again. */
export function append(before: Timeline, messages: readonly RunMessage[]): Timeline {
  const entries = [...before.entries];
  const open = new Map(before.open);
  for (const message of messages) place(entries, open, message);
  return { entries, open };
}

/** The newest entries of a timeline that has grown too long. */
export function newest(timeline: Timeline, count: number): Timeline {
  const dropped = timeline.entries.length - count;
  if (dropped <= 0) return timeline;
  const open = [...timeline.open].flatMap(([id, at]): [string, number][] => (at < dropped ? [] : [[id, at - dropped]]));
  return { entries: timeline.entries.slice(dropped), open: new Map(open) };
}

function place(entries: Entry[], open: Map<string, number>, message: RunMessage): void {
  const { seq, createdAt: time, content } = message;
  const about = fields(content.metadata);
  const base = { seq, time };
  switch (about.text("kind")) {
    // The page shows both beside the timeline, as they are now.
    case "todos":
    case "usage":
      return;
    case "said":
      return add(entries, { ...base, is: "said", kinds: ["progress"], text: content.message });
    case "phase":
      return add(entries, { ...base, is: "phase", kinds: ["progress"], phase: about.text("phase"), status: about.text("status"), text: content.message });
    case "toolStarted":
      return start(entries, open, { ...base, is: "tool", kinds: ["tools"], id: about.text("id"), name: about.text("name"), input: content.message });
    case "toolAudited":
      return audited(entries, open, base, about);
    case "toolFinished":
      return finish(entries, open, { seq, time, id: about.text("id"), failed: about.get("failed") === true, output: content.message });
    case "question":
      // An agent that is resumed asks the same question again.
      if (open.has(about.text("id"))) return;
      return begin(entries, open, { ...base, is: "question", kinds: ["questions"], id: about.text("id"), text: content.message, options: about.texts("options") });
    case "answered":
      return answer(entries, open, { seq, time, id: about.text("id"), text: about.get("text") === undefined ? content.message : about.text("text"), by: about.text("answeredBy") || undefined });
    case "changes":
      return add(entries, { ...base, is: "changes", kinds: ["progress"], changes: changesOf(about) });
    default:
      return add(entries, line(seq, time, markOf(message, about), content.message));
  }
}

function line(seq: number, time: string, mark: Message["type"], text: string): Line {
  return { is: "line", seq, time, kinds: [mark === "Failed" ? "errors" : "progress"], mark, text };
}

/** How far a step is stands there until the next entry comes. */
function add(entries: Entry[], entry: Entry): void {
  const last = entries.at(-1);
  if (last?.is === "line" && last.mark === "Progress") entries.pop();
  entries.push(entry);
}

/** Something that may still be answered. */
function begin(entries: Entry[], open: Map<string, number>, entry: Tool | Asked): void {
  add(entries, entry);
  open.set(entry.id, entries.length - 1);
}

function start(entries: Entry[], open: Map<string, number>, tool: Tool): void {
  const at = open.get(tool.id);
  const call = at === undefined ? undefined : entries[at];
  // What was seen of a call may be told before the call itself.
  if (at === undefined || call?.is !== "tool" || call.audit === undefined) return begin(entries, open, tool);
  entries[at] = { ...call, name: tool.name, input: tool.input };
}

/** It belongs to its call, and stands alone where nobody else tells of one. */
function audited(entries: Entry[], open: Map<string, number>, base: Pick<Base, "seq" | "time">, about: Fields): void {
  const id = about.text("id") || `audit:${base.seq}`;
  const at = open.get(id);
  const call = at === undefined ? undefined : entries[at];
  // A question says by itself what became of it.
  if (call?.is === "question") return;
  const audit = { server: about.text("server"), tool: about.text("tool"), outcome: about.text("outcome"), subject: about.text("subject") || undefined, durationMs: about.number("durationMs") };
  if (at !== undefined && call?.is === "tool") entries[at] = { ...call, audit };
  else begin(entries, open, { ...base, is: "tool", kinds: audit.outcome === "ok" ? ["tools"] : ["tools", "errors"], id, ...calledBy(audit), audit });
}

interface Finished {
  seq: number;
  time: string;
  id: string;
  failed: boolean;
  output: string;
}

function finish(entries: Entry[], open: Map<string, number>, { seq, time, id, failed, output }: Finished): void {
  const at = open.get(id);
  const call = at === undefined ? undefined : entries[at];
  const kinds: readonly Kind[] = failed ? ["tools", "errors"] : ["tools"];
  const answer = { output, failed, time };
  if (at === undefined || call?.is !== "tool") return add(entries, { is: "tool", seq, time, kinds, id, name: "Tool", input: "", answer });
  entries[at] = { ...call, kinds, answer };
  open.delete(id);
}

interface Answered {
  seq: number;
  time: string;
  id: string;
  text: string;
  by: string | undefined;
}

function answer(entries: Entry[], open: Map<string, number>, { seq, time, id, text, by }: Answered): void {
  const at = open.get(id);
  const question = at === undefined ? undefined : entries[at];
  if (at === undefined || question?.is !== "question") return add(entries, { ...line(seq, time, "Notice", `${by ?? "Somebody"} answered: ${text}`), kinds: ["questions"] });
  entries[at] = { ...question, answer: { text, by, time } };
}

function markOf({ type }: RunMessage, about: Fields): Message["type"] {
  if (type === "error") return "Failed";
  // An attempt that a question ended is not the end of the run.
  if (about.text("outcome") === "Escalated") return "Notice";
  if (type === "completion") return "Finished";
  const told = about.text("type");
  return told === "Started" || told === "Progress" || told === "Finished" ? told : "Notice";
}

/** Metadata was written by a pod: nothing of it is believed to have the type that it should have. */
interface Fields {
  get: (name: string) => unknown;
  text: (name: string) => string;
  number: (name: string) => number;
  texts: (name: string) => string[];
}

function fields(metadata: unknown): Fields {
  const all: ReadonlyMap<string, unknown> = new Map(typeof metadata === "object" && metadata !== null ? Object.entries(metadata) : []);
  const list = (name: string): unknown[] => {
    const value = all.get(name);
    return Array.isArray(value) ? value : [];
  };
  return {
    get: (name) => all.get(name),
    text: (name) => textOf(all.get(name)),
    number: (name) => Number(all.get(name)) || 0,
    texts: (name) => list(name).map(textOf),
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function changesOf(about: Fields): Changes {
  const files = about.get("files");
  return {
    files: (Array.isArray(files) ? files : []).map((file) => {
      const each = fields(file);
      return { path: each.text("path"), added: each.number("added"), removed: each.number("removed"), binary: each.get("binary") === true };
    }),
    more: about.number("more"),
    added: about.number("added"),
    removed: about.number("removed"),
  };
}
