// What the page knows of a chat, made from what the runtime says: messages go in, the state comes out. Saying the same
// again changes nothing, so whatever a reconnect repeats is harmless. Pure.

import { calledBy } from "../components/audit";
import { Book, type Asked, type Entry } from "./entries";
import type { AgentState, Delta, PhaseStatus, PhaseUpdate, Progress, ServerMessage, Text, Todo, Tokens, ToolAudit, ToolResult, ToolUse, UserMessage } from "./protocol";

/** A longer chat loses its oldest entries: a browser holds this many with ease. */
const LONGEST = 20_000;

/** How many more it may have before they go: dropping them one by one would touch all others each time. */
const SLACK = 1_000;

export interface Phase {
  name: string;
  status: PhaseStatus;
  retry: number;
  step: string | undefined;
  startedAt: string;
  endedAt: string | undefined;
}

export interface Chat {
  journalId: string | undefined;
  /** The number of the newest record that is in it. */
  through: number;
  /** Whether all has come that there was. */
  caughtUp: boolean;
  /** Who the runtime thinks we are, and what we may do. */
  author: string;
  maySpeak: boolean;
  mayAnswer: boolean;
  agent: { state: AgentState; message: string | undefined };
  entries: readonly Entry[];
  places: ReadonlyMap<string, number>;
  /** The work item of the workflow that is open. */
  work: string | undefined;
  phases: readonly Phase[];
  todos: readonly Todo[];
  usage: { models: Record<string, Tokens>; cost: string } | undefined;
  /** Whether its oldest entries were dropped. */
  cut: boolean;
}

export const EMPTY: Chat = {
  journalId: undefined,
  through: 0,
  caughtUp: false,
  author: "",
  maySpeak: false,
  mayAnswer: false,
  agent: { state: "starting", message: undefined },
  entries: [],
  places: new Map(),
  work: undefined,
  phases: [],
  todos: [],
  usage: undefined,
  cut: false,
};

/** A chat that goes on. Entries that did not change stay the same objects, so that nobody draws them again. */
export function reduce(before: Chat, messages: readonly ServerMessage[]): Chat {
  if (messages.length === 0) return before;
  const draft = { ...before };
  let book = new Book(before.entries, before.places);
  for (const message of messages) {
    if (message.type === "reset") {
      Object.assign(draft, forgotten(message.journalId));
      book = new Book([], new Map());
    } else if (!isOld(message, draft.through)) {
      take(draft, book, message);
      if (isRecord(message)) draft.through = message.seq;
    }
  }
  if (book.entries.length > LONGEST + SLACK) {
    const dropped = book.entries.length - LONGEST;
    book.keep((entry, at) => at >= dropped || isOpen(entry));
    draft.cut = true;
  }
  return { ...draft, entries: book.entries, places: book.places };
}

/** The questions that nobody has answered, the oldest first. */
export function openQuestions({ entries }: Chat): Asked[] {
  return entries.filter(isOpen);
}

function isOpen(entry: Entry): entry is Asked {
  return entry.is === "question" && entry.answer === undefined;
}

/** Another journal begins: nothing of the old one is true of it. */
function forgotten(journalId: string): Partial<Chat> {
  const { through, work, phases, todos, usage, cut } = EMPTY;
  return { journalId, through, work, phases, todos, usage, cut, caughtUp: false };
}

/** Live messages have the number of the record that was shown before them: they say nothing about how far we are. */
function isRecord(message: ServerMessage): boolean {
  switch (message.type) {
    case "tool_audit":
    case "user_message":
    case "workflow_started":
    case "phase_update":
    case "todo_update":
    case "question":
    case "progress":
    case "usage":
    case "workflow_complete":
      return true;
    case "claude_message":
      return message.final;
    default:
      return false;
  }
}

/** A record that was shown before, or a piece of a text that has become one. */
function isOld(message: ServerMessage, through: number): boolean {
  return message.seq < through && (isRecord(message) || message.type === "claude_message");
}

function take(chat: Chat, book: Book, message: ServerMessage): void {
  const { seq, timestamp: time } = message;
  switch (message.type) {
    case "welcome":
      // Another one's number stands in a reset: only with that what is here is forgotten.
      chat.journalId ??= message.journalId;
      chat.caughtUp = false;
      chat.author = message.author;
      chat.maySpeak = message.role === "control";
      chat.mayAnswer = message.mayAnswer;
      return agentIs(chat, message.agent);
    case "caught_up":
      chat.caughtUp = true;
      return settle(chat, book);
    case "claude_message":
      return spoke(book, message);
    case "tool_audit":
      return toolAudit(book, message);
    case "user_message":
      return user(book, message);
    case "workflow_started": {
      const { workId, autonomy, author } = message;
      // Its phases begin anew with it.
      chat.phases = [];
      chat.work = workId;
      return book.put({ is: "begun", key: `begun:${seq}`, id: `begun:${seq}`, seq, time, workId, autonomy, author });
    }
    case "phase_update":
      return phase(chat, book, message);
    case "todo_update":
      chat.todos = message.todos;
      return;
    case "question":
      return question(book, message);
    case "progress":
      return progress(book, message);
    case "usage":
      chat.usage = { models: message.models, cost: message.estimatedCostUSD };
      return;
    case "agent":
      return agentIs(chat, message.state, message.message);
    case "error": {
      const id = `error:${seq}:${message.code}:${message.message}`;
      return book.put({ is: "error", key: id, id, seq, time, code: message.code, text: message.message, recoverable: message.recoverable });
    }
    case "pong":
      return message.agent === undefined ? undefined : agentIs(chat, message.agent, chat.agent.message);
    case "workflow_complete": {
      const id = `ended:${seq}`;
      chat.work = undefined;
      return book.put({ is: "ended", key: id, id, seq, time, exitCode: message.exitCode, text: message.summary, pullRequest: safeLink(message.prUrl), cost: message.costUsd });
    }
    case "reset":
      return;
  }
}

function agentIs(chat: Chat, state: AgentState, message?: string): void {
  if (chat.agent.state === state && chat.agent.message === message) return;
  chat.agent = { state, message };
}

/** What still comes goes on with a gap; what nobody goes on with is gone, for no record has it. */
function settle(chat: Chat, book: Book): void {
  if (chat.agent.state !== "working") return book.keep((entry) => entry.is !== "said" || entry.final);
  for (const entry of book.entries) if (entry.is === "said" && !entry.final && !entry.cut) book.put({ ...entry, cut: true });
}

function spoke(book: Book, message: Text | Delta | ToolUse | ToolResult): void {
  switch (message.kind) {
    case "tool_use":
      return toolUse(book, message);
    case "tool_result":
      return toolResult(book, message);
    default:
      return message.final ? whole(book, message) : part(book, message);
  }
}

function part(book: Book, { messageId, delta = "", seq, timestamp: time }: Delta): void {
  const id = `text:${messageId}`;
  const before = book.find(id, "said");
  if (before === undefined || before.final) return book.put({ is: "said", key: `live:${messageId}:${seq}`, id, seq, time, thought: false, text: delta, final: false, cut: false });
  book.put({ ...before, text: before.text + (before.cut ? " … " : "") + delta, cut: false });
}

function whole(book: Book, { kind, messageId, content = "", seq, timestamp: time }: Text): void {
  const id = `${kind}:${messageId}`;
  const before = book.find(id, "said");
  // One message of the model may hold several texts: only what still comes, or the same record, is replaced.
  const key = before !== undefined && (!before.final || before.seq === seq) ? before.key : `${id}:${seq}`;
  book.put({ is: "said", key, id, seq, time, thought: kind === "thinking", text: content, final: true, cut: false });
}

function toolUse(book: Book, { messageId, name = "Tool", input = "", seq, timestamp: time }: ToolUse): void {
  const id = `tool:${messageId}`;
  const { answer, audit } = book.find(id, "tool") ?? {};
  book.put({ is: "tool", key: id, id, seq, time, name, input, ...(answer === undefined ? {} : { answer }), ...(audit === undefined ? {} : { audit }) });
}

function toolResult(book: Book, { messageId, content = "", isError, durationMs, seq, timestamp: time }: ToolResult): void {
  const id = `tool:${messageId}`;
  const call = book.find(id, "tool") ?? { is: "tool", key: id, id, seq, time, name: "Tool", input: "" };
  book.put({ ...call, answer: { output: content, failed: isError === true, durationMs } });
}

/** It belongs to its call, and stands alone where nobody else tells of one. */
function toolAudit(book: Book, { messageId, server, tool, outcome, subject, durationMs, seq, timestamp: time }: ToolAudit): void {
  // A question says by itself what became of it.
  if (messageId !== undefined && book.find(`question:${messageId}`, "question") !== undefined) return;
  const audit = { server, tool, outcome, subject, durationMs };
  const id = messageId === undefined ? `audit:${seq}` : `tool:${messageId}`;
  const call = book.find(id, "tool") ?? { is: "tool", key: id, id, seq, time, ...calledBy(audit) };
  book.put({ ...call, audit });
}

const STATE_ORDER: Record<UserMessage["state"], number> = { queued: 0, started: 1, completed: 2, cancelled: 2 };

/** Its states may come in any order, for some are told at once and others when they are on the disk. */
function user(book: Book, { id: given, author, content, state, seq, timestamp: time }: UserMessage): void {
  const id = `user:${given}`;
  const before = book.find(id, "user");
  if (before === undefined) return book.put({ is: "user", key: id, id, seq, time, author: author ?? "", text: content ?? "", state });
  const newer = STATE_ORDER[state] > STATE_ORDER[before.state] ? state : before.state;
  book.put({ ...before, author: author ?? before.author, text: content ?? before.text, state: newer });
}

function phase(chat: Chat, book: Book, { phase: name, status, retry, step, message, seq, timestamp: time }: PhaseUpdate): void {
  const id = `phase:${name}`;
  const before = book.find(id, "phase");
  const goesOn = before?.retry === retry && (before.status === "started" || before.last === seq);
  const endedAt = status === "started" ? undefined : time;
  if (goesOn) book.put({ ...before, last: seq, status, step: step ?? before.step, message: message ?? before.message, endedAt });
  else book.put({ is: "phase", key: `${id}:${seq}`, id, seq, last: seq, time, phase: name, status, retry, step, message, endedAt });

  const old = chat.phases.find((each) => each.name === name);
  const startedAt = old === undefined || (status === "started" && old.status !== "started") ? time : old.startedAt;
  const now: Phase = { name, status, retry, step: step ?? (status === "started" ? old?.step : undefined), startedAt, endedAt };
  chat.phases = old === undefined ? [...chat.phases, now] : chat.phases.map((each) => (each === old ? now : each));
}

function question(book: Book, message: Extract<ServerMessage, { type: "question" }>): void {
  const { questionId, seq, timestamp: time } = message;
  const id = `question:${questionId}`;
  const before = book.find(id, "question");
  if (message.state === "open") {
    // An agent that is resumed asks the same question again.
    if (before !== undefined) return;
    return book.put({ is: "question", key: id, id, seq, time, questionId, kind: message.kind ?? "clarification", text: message.question ?? "", options: message.options ?? [] });
  }
  const asked = before ?? { is: "question", key: id, id, seq, time, questionId, kind: "clarification", text: "", options: [] };
  if (asked.answer === undefined) book.put({ ...asked, answer: { text: message.text ?? "", by: message.answeredBy, time } });
}

/** How far a step is stands in its one line until the step has ended. */
function progress(book: Book, { step, kind, text, durationMs, seq, timestamp: time }: Progress): void {
  const id = `step:${step}`;
  const before = book.find(id, "line");
  const goesOn = before !== undefined && (before.mark === "started" || before.mark === "progress" || before.last === seq);
  const key = goesOn ? before.key : `${id}:${seq}`;
  book.put({ is: "line", key, id, seq: goesOn ? before.seq : seq, last: seq, time, mark: kind.toLowerCase(), text, durationMs });
}

/** An address that may stand in a link: it was told by a forge. */
function safeLink(url: string | undefined): string | undefined {
  return url !== undefined && /^https?:\/\//.test(url) ? url : undefined;
}
