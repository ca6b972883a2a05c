import { describe, expect, it } from "vitest";
import type { RunMessage } from "../api/types";
import { beginning, lineOf, nextOf, older } from "./archived";
import type { Asked, Entry } from "./entries";

const time = (second: number): string => new Date(Date.parse("2026-01-01T09:00:00Z") + second * 1_000).toISOString();

function kept(seq: number, kind: string, message: string, metadata: Record<string, unknown> = {}, type: RunMessage["type"] = "progress"): RunMessage {
  return { id: String(seq), sessionId: "uid", seq, type, createdAt: time(seq), content: { message, metadata: { kind, attempt: 1, ...metadata } } };
}

const question = (second: number, answer?: Asked["answer"]): Asked => ({ is: "question", key: "q", id: "q", seq: second, time: time(second), questionId: "q", kind: "approval", text: "May I?", options: [], ...(answer === undefined ? {} : { answer }) });
const said = (second: number): Entry => ({ is: "said", key: `s${second}`, id: `s${second}`, seq: second, time: time(second), thought: false, text: "x", final: true, cut: false });

describe("a message of the archive", () => {
  it("is a line that says whose it is", () => {
    const who = (message: RunMessage) => lineOf(message)?.who;
    expect(lineOf(kept(3, "message", "Look", { author: "ada" }))).toEqual({ seq: 3, time: time(3), who: "ada", text: "Look" });
    expect(who(kept(1, "said", "I look"))).toBe("Agent");
    expect(who(kept(1, "toolStarted", "ls", { name: "Bash" }))).toBe("Bash");
    expect(who(kept(1, "answered", "yes", { answeredBy: "grace" }))).toBe("Answer of grace");
    expect(who(kept(1, "step", "No such branch", { step: "clone" }, "error"))).toBe("Error");
    expect(who(kept(1, "unreadable", "A record could not be read", {}, "error"))).toBe("Error");
  });

  it("is none where it only says how something else stands, or holds nothing", () => {
    for (const kind of ["usage", "todos", "messageState", "turn", "checkpoint", "toolAudited"]) expect(lineOf(kept(1, kind, "words"))).toBeUndefined();
    expect(lineOf(kept(1, "toolFinished", ""))).toBeUndefined();
  });

  it("may have metadata of any shape", () => {
    expect(lineOf(kept(1, "message", "a", { author: { name: "ada" } }))?.who).toBe("Somebody");
    expect(lineOf(kept(1, "said", "a", { kind: 7 }))).toBeUndefined();
  });
});

describe("what the page does not hold", () => {
  it("ends where the page begins, whatever question is still open", () => {
    expect(beginning([])).toBe(Number.POSITIVE_INFINITY);
    expect(beginning([question(2), said(7), said(8)])).toBe(Date.parse(time(7)));
    expect(beginning([question(2, { text: "yes", by: "ada", time: time(3) }), said(7)])).toBe(Date.parse(time(2)));
  });

  it("is shown, and the rest is not looked for", () => {
    const before = Date.parse(time(3));
    const part = { items: [kept(1, "said", "one"), kept(2, "usage", "used"), kept(3, "said", "three")], next: 3 };
    expect(older([part], before).map(({ seq }) => seq)).toEqual([1]);
    expect(nextOf(part, before)).toBeUndefined();
    expect(nextOf({ items: part.items.slice(0, 1), next: 9 }, before)).toBe(9);
    expect(nextOf({ items: [], next: 5_000 }, before)).toBe(5_000);
    expect(nextOf({ items: [] }, before)).toBeUndefined();
  });
});
