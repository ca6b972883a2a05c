import { describe, expect, it } from "vitest";
import type { RunMessage } from "../api/types";
import { needleOf, pieces } from "../components/find";
import { select } from "./search";
import { append, newest, NOTHING, type Entry } from "./timeline";

let seq = 0;
const told = (kind: string, message: string, metadata: object = {}, type: RunMessage["type"] = "progress"): RunMessage => ({
  id: `m${(seq += 1)}`,
  sessionId: "u",
  seq,
  type,
  content: { message, metadata: { kind, ...metadata } },
  createdAt: "2026-01-01T00:00:00Z",
});
const entriesOf = (...messages: RunMessage[]): readonly Entry[] => append(NOTHING, messages).entries;
const call = told("toolStarted", "npm test", { id: "1", name: "Bash" });
const answer = told("toolFinished", "1 failed", { id: "1", failed: true });
const question = told("question", "Which port?", { id: "q", questionKind: "selection", options: ["80", "8080"] }, "escalation");
const answered = told("answered", "8080", { id: "q", answeredBy: "ada" });

describe("a timeline", () => {
  it("makes one entry of a call and its answer, whenever that comes", () => {
    const started = append(NOTHING, [call, told("said", "meanwhile")]);
    expect(started.entries[0]).toMatchObject({ is: "tool", name: "Bash", input: "npm test", kinds: ["tools"] });
    const finished = append(started, [answer]);
    expect(finished.entries).toHaveLength(2);
    expect(finished.entries[0]).toMatchObject({ is: "tool", kinds: ["tools", "errors"], answer: { output: "1 failed", failed: true } });
    expect(finished.entries[1]).toBe(started.entries[1]);
  });

  it("finds the call again that replaced how far a step was", () => {
    const entries = entriesOf(told("step", "43 %", { type: "Progress" }), call, answer);
    expect(entries).toMatchObject([{ is: "tool", answer: { output: "1 failed" } }]);
  });

  const audit = (id: string, outcome: string) => told("toolAudited", "…", { id, server: "fractary-repo", tool: "push", outcome, subject: "name x", durationMs: 12 });

  it("has what the runtime saw of a call with that call, whichever is told first", () => {
    const seen = { is: "tool", name: "Bash", input: "npm test", answer: { output: "1 failed" }, audit: { server: "fractary-repo", tool: "push", outcome: "refused", subject: "name x", durationMs: 12 } };
    expect(entriesOf(call, audit("1", "refused"), answer)).toMatchObject([seen]);
    expect(entriesOf(audit("1", "refused"), call, answer)).toMatchObject([seen]);
    expect(entriesOf(question, answered, audit("q", "ok"))).toMatchObject([{ is: "question" }]);
  });

  it("shows a call that only the runtime saw", () => {
    expect(entriesOf(audit("", "failed"), audit("", "ok"))).toMatchObject([
      { name: "fractary-repo push", input: "name x", kinds: ["tools", "errors"], answer: { failed: true } },
      { kinds: ["tools"], answer: { failed: false } },
    ]);
  });

  it("says who answered, and asks a question once though it was asked again after a pod was gone", () => {
    const entries = entriesOf(question, question, answered, question);
    expect(entries).toHaveLength(1);
    expect(entries[0]).toMatchObject({ is: "question", options: ["80", "8080"], answer: { text: "8080", by: "ada" } });
  });

  it.each<[string, RunMessage, object]>([
    ["an answer without its call", answer, { is: "tool", name: "Tool", input: "" }],
    ["an answer without its question", answered, { is: "line", mark: "Notice", text: "ada answered: 8080", kinds: ["questions"] }],
    ["a failed step", told("step", "no", { type: "Failed" }, "error"), { is: "line", mark: "Failed", kinds: ["errors"] }],
    ["the end", told("ended", "done", {}, "completion"), { is: "line", mark: "Finished" }],
    ["the end of an attempt that asks", told("ended", "asks", { outcome: "Escalated" }, "completion"), { is: "line", mark: "Notice" }],
    ["a kind of tomorrow", told("weather", "rain"), { is: "line", mark: "Notice", text: "rain" }],
    ["metadata of another type", { ...told("", "x"), content: { message: "x", metadata: "no" } } as unknown as RunMessage, { is: "line", text: "x" }],
    ["changes that are none", told("changes", "x", { files: [null, { path: 1 }], more: "many" }), { is: "changes", changes: { files: [{ path: "" }, { path: "" }], more: 0 } }],
  ])("shows %s", (_name, message, entry) => expect(entriesOf(message)).toMatchObject([entry]));

  it("keeps how far a step is until the next entry comes, and leaves out what stands beside it", () => {
    const progress = told("step", "43 %", { type: "Progress" });
    expect(entriesOf(progress)).toHaveLength(1);
    expect(entriesOf(progress, told("step", "done", { type: "Finished" }))).toMatchObject([{ text: "done" }]);
    expect(entriesOf(told("todos", ""), told("usage", ""))).toEqual([]);
  });

  it("reads what a status keeps when there is no archive", () => {
    expect(append(NOTHING, [{ ...told("", "Block 1 of 2"), content: { message: "Block 1 of 2", metadata: { type: "Started" } } }]).entries).toMatchObject([{ is: "line", mark: "Started", text: "Block 1 of 2" }]);
  });

  it("drops the oldest when it is too long, and still knows the open calls", () => {
    const long = append(NOTHING, [told("said", "a"), told("said", "b"), call]);
    expect(append(newest(long, 2), [answer]).entries).toMatchObject([{ text: "b" }, { answer: { output: "1 failed" } }]);
    expect(newest(long, 3)).toBe(long);
    expect(append(newest(append(long, [told("said", "c")]), 1), [answer]).entries).toHaveLength(2);
  });
});

describe("the search", () => {
  const entries = entriesOf(told("said", "Look at İnvoice"), call, answer, question, answered, told("changes", "x", { files: [{ path: "src/Invoice.ts" }] }));
  const found = (words: string, ...kinds: Parameters<typeof select>[2] extends ReadonlySet<infer K> ? K[] : never[]) => select(entries, needleOf(words), new Set(kinds)).map(({ is }) => is);

  it.each<[string, ReturnType<typeof found>, ReturnType<typeof found>]>([
    ["nothing", found(" "), ["said", "tool", "question", "changes"]],
    ["a tool's name", found("BASH"), ["tool"]],
    ["what a tool answered", found("1 failed"), ["tool"]],
    ["who answered", found("ada"), ["question"]],
    ["a path", found("src/invoice"), ["changes"]],
    ["a kind", found("", "errors"), ["tool"]],
    ["two kinds", found("", "questions", "progress"), ["said", "question", "changes"]],
    ["words of a kind", found("port", "tools"), []],
  ])("by %s", (_name, is, expected) => expect(is).toEqual(expected));

  it.each<[string, string, [string, boolean][]]>([
    ["One two one", "one", [["One", true], [" two ", false], ["one", true]]],
    ["aaa", "aa", [["aa", true], ["a", false]]],
    ["none", "x", [["none", false]]],
    ["", "x", [["", false]]],
    ["İx", "x", [["İx", false]]],
  ])("marks %j by %j", (text, needle, expected) => expect(pieces(text, needle).map((piece) => [piece.text, piece.found])).toEqual(expected));
});
