import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ServerMessage } from "./protocol";
import { EMPTY, openQuestions, reduce, type Chat } from "./state";

const AT = "2026-01-01T09:00:00Z";
type Plain<M> = M extends ServerMessage ? Omit<M, "seq" | "timestamp"> : never;
const at = (seq: number, message: Plain<ServerMessage>): ServerMessage => ({ seq, timestamp: AT, ...message });

const welcome = (newest: number, agent: Chat["agent"]["state"] = "idle", journalId = "one"): ServerMessage => at(newest, { type: "welcome", journalId, author: "ada", role: "control", mayAnswer: true, agent, newest });
const caughtUp = (newest: number): ServerMessage => at(newest, { type: "caught_up" });
const text = (seq: number, messageId: string, content: string): ServerMessage => at(seq, { type: "claude_message", kind: "text", messageId, content, final: true });
const delta = (seq: number, messageId: string, piece: string): ServerMessage => at(seq, { type: "claude_message", kind: "text", messageId, delta: piece, final: false });
const user = (seq: number, id: string, state: "queued" | "started" | "completed" | "cancelled", content?: string): ServerMessage =>
  at(seq, { type: "user_message", id, state, ...(content === undefined ? {} : { author: "ada", content }) });
const phase = (seq: number, name: string, status: "started" | "completed" | "failed", retry = 0): ServerMessage => at(seq, { type: "phase_update", phase: name, status, retry });

/** A session from its first line to its end, as the journal has it. */
const STORY: ServerMessage[] = [
  at(1, { type: "progress", step: "clone", kind: "progress", text: "Cloning repository, 43 %" }),
  at(2, { type: "progress", step: "clone", kind: "finished", text: "Cloned repository", durationMs: 1200 }),
  user(3, "m1", "queued", "Look at the rounding"),
  user(4, "m1", "started"),
  phase(5, "build", "started"),
  at(6, { type: "claude_message", kind: "thinking", messageId: "a", content: "It rounds down.", final: true }),
  text(7, "a", "I look at **rounding**."),
  at(8, { type: "claude_message", kind: "tool_use", messageId: "t1", input: "npm test", name: "Bash", final: true }),
  at(9, { type: "claude_message", kind: "tool_result", messageId: "t1", content: "1 failed", isError: true, durationMs: 900, final: true }),
  at(10, { type: "todo_update", todos: [{ text: "Round", status: "inProgress" }] }),
  phase(11, "build", "completed"),
  phase(12, "evaluate", "started"),
  phase(13, "evaluate", "failed"),
  phase(14, "build", "started", 1),
  text(15, "a", "Another text of the same message."),
  at(16, { type: "question", questionId: "q", state: "open", kind: "approval", question: "Release it?", options: ["approve", "reject"] }),
  at(17, { type: "question", questionId: "q", state: "answered", text: "approve", answeredBy: "grace" }),
  at(18, { type: "usage", models: {}, estimatedCostUSD: "0.12" }),
  user(19, "m1", "completed"),
  at(20, { type: "workflow_complete", exitCode: 0, summary: "Done", prUrl: "javascript:alert(1)", costUsd: "0.12" }),
];
const TOLD = reduce(EMPTY, [welcome(20), ...STORY, caughtUp(20)]);
const entriesOf = (chat: Chat): string[] => chat.entries.map(({ is }) => is);

describe("a chat", () => {
  it("is one line of time, in which calls and questions have their answers", () => {
    expect(entriesOf(TOLD)).toEqual(["line", "user", "phase", "said", "said", "tool", "phase", "phase", "said", "question", "ended"]);
    expect(TOLD.entries[0]).toMatchObject({ text: "Cloned repository", mark: "finished", durationMs: 1200 });
    expect(TOLD.entries[1]).toMatchObject({ text: "Look at the rounding", author: "ada", state: "completed" });
    expect(TOLD.entries[5]).toMatchObject({ name: "Bash", input: "npm test", answer: { output: "1 failed", failed: true, durationMs: 900 } });
    expect(TOLD.entries[9]).toMatchObject({ answer: { text: "approve", by: "grace" } });
    expect(TOLD).toMatchObject({ through: 20, caughtUp: true, author: "ada", maySpeak: true, usage: { cost: "0.12" }, todos: [{ text: "Round" }] });
    expect(TOLD.phases.map(({ name, status, retry }) => [name, status, retry])).toEqual([["build", "started", 1], ["evaluate", "failed", 0]]);
  });

  it("has no link that is none", () => expect(TOLD.entries.at(-1)).toHaveProperty("pullRequest", undefined));

  it("keeps open questions apart", () => {
    expect(openQuestions(TOLD)).toEqual([]);
    expect(openQuestions(reduce(EMPTY, STORY.slice(0, 16))).map(({ questionId }) => questionId)).toEqual(["q"]);
  });
});

describe("a reconnect", () => {
  it("goes on where it was, however often frames come twice", () => {
    const before = reduce(EMPTY, [welcome(8), ...STORY.slice(0, 8), caughtUp(8)]);
    expect(reduce(before, [welcome(20), ...STORY.slice(5), caughtUp(20)])).toEqual(TOLD);
    expect(reduce(TOLD, [...STORY, ...STORY].sort((one, other) => one.seq - other.seq))).toEqual(TOLD);
  });

  it("to another journal forgets all of the old one", () => {
    const other = reduce(TOLD, [welcome(1, "idle", "two"), at(1, { type: "reset", journalId: "two" }), text(1, "z", "Hello"), caughtUp(1)]);
    expect(other).toEqual(reduce(EMPTY, [welcome(1, "idle", "two"), text(1, "z", "Hello"), caughtUp(1)]));
  });

  it("to another journal that ends before the reset is told of the old one's place", () => {
    expect(reduce(TOLD, [welcome(1, "idle", "two")])).toMatchObject({ journalId: "one", through: 20 });
  });

  it("takes live messages for what they are: they do not say how far it is", () => {
    const half = reduce(EMPTY, [welcome(20, "working"), ...STORY.slice(0, 3), delta(20, "b", "Live"), at(20, { type: "agent", state: "waiting" })]);
    expect(half.through).toBe(3);
    expect(entriesOf(reduce(half, STORY.slice(3)))).toContain("ended");
  });
});

describe("what is being said", () => {
  const begun = reduce(EMPTY, [welcome(0, "working"), caughtUp(0), delta(0, "m", "I look "), delta(0, "m", "at it")]);

  it("grows in one place and becomes the record there", () => {
    expect(begun.entries).toMatchObject([{ text: "I look at it", final: false }]);
    const after = reduce(begun, [text(1, "m", "I look at it."), text(1, "m", "I look at it.")]);
    expect(after.entries).toMatchObject([{ text: "I look at it.", final: true, key: begun.entries[0]?.key }]);
  });

  it("has a gap where a part was missed, and is whole when the record comes", () => {
    const back = reduce(begun, [welcome(0, "working"), caughtUp(0), delta(0, "m", "once more")]);
    expect(back.entries).toMatchObject([{ text: "I look at it … once more" }]);
    expect(reduce(back, [text(1, "m", "Whole.")]).entries).toMatchObject([{ text: "Whole.", final: true }]);
  });

  it("is gone when the agent is, for no record has it", () => {
    expect(reduce(begun, [welcome(0, "idle"), caughtUp(0)]).entries).toEqual([]);
  });

  it("has no pieces that come after it", () => {
    const after = reduce(begun, [text(1, "m", "I look at it."), text(2, "n", "And more.")]);
    expect(reduce(after, [delta(1, "m", "late")])).toEqual(after);
  });

  it("leaves what stands above it untouched", () => {
    expect(reduce(TOLD, [delta(20, "n", "More")]).entries.slice(0, -1).every((entry, index) => entry === TOLD.entries[index])).toBe(true);
  });
});

describe("what the runtime saw of a call", () => {
  const use = (seq: number) => at(seq, { type: "claude_message", kind: "tool_use", messageId: "t", name: "mcp__fractary-repo__push", input: "{}", final: true });
  const result = (seq: number) => at(seq, { type: "claude_message", kind: "tool_result", messageId: "t", content: "Refused.", isError: true, durationMs: 9, final: true });
  const audit = (seq: number, messageId?: string) => at(seq, { type: "tool_audit", server: "fractary-repo", tool: "push", outcome: "refused", durationMs: 3, ...(messageId === undefined ? {} : { messageId }) });
  const seen = { is: "tool", name: "mcp__fractary-repo__push", answer: { output: "Refused.", durationMs: 9 }, audit: { outcome: "refused", durationMs: 3 } };

  it("stands with the call, whichever is told first", () => {
    expect(reduce(EMPTY, [use(1), audit(2, "t"), result(3)]).entries).toMatchObject([seen]);
    const early = reduce(EMPTY, [audit(1, "t"), use(2), result(3)]);
    expect(early.entries).toMatchObject([seen]);
    expect(reduce(early, [audit(1, "t"), use(2), result(3)])).toEqual(early);
  });

  it("is not told of a question again", () => {
    const asked = at(1, { type: "question", questionId: "q", state: "open", kind: "selection", question: "Which?" });
    expect(reduce(EMPTY, [asked, audit(2, "q")])).toMatchObject({ through: 2, entries: [{ is: "question" }] });
  });

  it("stands alone where nobody else tells of one", () => {
    const alone = reduce(EMPTY, [audit(1), audit(2)]);
    expect(alone.entries).toMatchObject([{ name: "fractary-repo push", answer: { failed: true, durationMs: 3 } }, { is: "tool" }]);
    expect(reduce(alone, [audit(2)])).toEqual(alone);
  });
});

it("a message's states may come in any order", () => {
  const chat = reduce(EMPTY, [user(1, "m", "queued", "Hi"), user(3, "m", "completed"), user(3, "m", "started"), user(3, "m", "queued", "Hi")]);
  expect(chat.entries).toMatchObject([{ text: "Hi", state: "completed" }]);
});

it("a resumed agent's question is asked once, and a first answer stands", () => {
  const open = at(1, { type: "question", questionId: "q", state: "open", kind: "selection", question: "Which?" });
  const chat = reduce(EMPTY, [open, { ...open, seq: 2 }, at(3, { type: "question", questionId: "q", state: "answered", text: "a" }), at(4, { type: "question", questionId: "q", state: "answered", text: "b" }), { ...open, seq: 5 }]);
  expect(chat.entries).toMatchObject([{ options: [], answer: { text: "a" } }]);
});

it("a chat of tens of thousands keeps the newest, and what waits for an answer", () => {
  const question = at(1, { type: "question", questionId: "q", state: "open", kind: "selection", question: "Which?" });
  const chat = reduce(EMPTY, [question, ...Array.from({ length: 21_001 }, (_, seq) => text(seq + 2, `m${seq}`, "x"))]);
  expect(chat.cut).toBe(true);
  expect(openQuestions(chat)).toHaveLength(1);
  expect(reduce(chat, [at(30_000, { type: "question", questionId: "q", state: "answered", text: "a" })]).entries[0]).toMatchObject({ answer: { text: "a" } });
  expect(chat.entries).toHaveLength(20_001);
});

it("is the same however it is cut into batches, lost and resumed", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ length: fc.nat(6), lost: fc.boolean(), again: fc.nat(3), said: fc.boolean() }), { maxLength: 12 }), (cuts) => {
      let chat = reduce(EMPTY, [welcome(20)]);
      for (const { length, lost, again, said } of cuts) {
        const from = STORY.findIndex(({ seq }) => seq > chat.through);
        if (from < 0) break;
        chat = reduce(chat, STORY.slice(Math.max(0, from - again), from + length));
        if (said) chat = reduce(chat, [delta(20, "live", "x")]);
        if (lost) chat = reduce(chat, [welcome(20)]);
      }
      expect(reduce(chat, [...STORY.filter(({ seq }) => seq > chat.through), caughtUp(20)])).toEqual(TOLD);
    }),
  );
});
