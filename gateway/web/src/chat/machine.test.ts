import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Machine, type Effect, type Event, type Options } from "./machine";
import type { ClientMessage, ServerMessage } from "./protocol";
import { parse } from "./protocol";

const AT = "2026-01-01T09:00:00Z";
const welcome: ServerMessage = { type: "welcome", seq: 4, timestamp: AT, journalId: "one", author: "ada", role: "control", mayAnswer: true, agent: "idle", newest: 4 };
const caughtUp: ServerMessage = { type: "caught_up", seq: 4, timestamp: AT };
const trouble = (code: string, ref: string, message = code): ServerMessage => ({ type: "error", seq: 4, timestamp: AT, code, message, recoverable: true, ref });
const echo = (id: string): ServerMessage => ({ type: "user_message", seq: 5, timestamp: AT, id, state: "queued", content: "Hi", author: "ada" });

class Rig {
  now = 0;
  effects: Effect[] = [];
  readonly machine: Machine;

  constructor(options: Partial<Options> = {}) {
    this.machine = new Machine({ visible: true, online: true, session: "ready", random: () => 0.5, outbox: [], place: () => ({ journalId: undefined, through: 0 }), ...options });
  }

  send(...events: Event[]): this {
    for (const event of events) this.effects.push(...this.machine.handle(event, this.now));
    return this;
  }

  hear(...messages: ServerMessage[]): this {
    return this.send(...messages.map((message) => ({ type: "message", message }) as const));
  }

  live(): this {
    return this.send({ type: "start" }, { type: "opened" }).hear(welcome, caughtUp);
  }

  /** What was sent since the last time, and what else was done. */
  taken(): (ClientMessage | string)[] {
    return this.effects.splice(0).flatMap((effect): (ClientMessage | string)[] => (effect.do === "send" ? [effect.message] : effect.do === "show" ? [] : [effect.do]));
  }
}

const say = (id: string): Event => ({ type: "say", id, content: "Hi", command: false });
const said = (id: string): ClientMessage => ({ type: "user_message", id, content: "Hi" });

describe("a chat's connection", () => {
  it("says where it is, and is live when it is welcomed", () => {
    const rig = new Rig({ place: () => ({ journalId: "one", through: 7 }) }).live();
    expect(rig.taken()).toEqual(["connect", { type: "hello", journalId: "one", after: 7, visible: true }]);
    expect(rig.machine.status()).toMatchObject({ link: "live", established: true });
  });

  it("tells when nobody sees the page any more, and when somebody does again", () => {
    const rig = new Rig().live();
    rig.taken();
    expect(rig.send({ type: "visible", visible: false }).taken()).toEqual([{ type: "ping", visible: false }]);
    expect(rig.send({ type: "visible", visible: true }).taken()).toEqual([{ type: "ping", visible: true }]);
  });

  it("says what was said before as soon as it knows what has arrived, and only that", () => {
    const rig = new Rig().send({ type: "start" }, say("a"), say("b"), { type: "opened" }).hear(welcome, echo("a"));
    expect(rig.taken()).toEqual(["connect", { type: "hello", visible: true }]);
    expect(rig.hear(caughtUp).taken()).toEqual([said("b")]);
    expect(rig.machine.status().outbox).toMatchObject([{ id: "b" }]);
    expect(rig.hear(echo("b")).machine.status().outbox).toEqual([]);
  });

  it("says again what was lost, with its id", () => {
    const rig = new Rig().live().send(say("a"), { type: "answer", questionId: "q", text: "Yes" }, { type: "closed", code: 4408, reason: "slow" });
    rig.taken();
    rig.now += 1_000;
    expect(rig.send({ type: "tick" }, { type: "opened" }).hear(welcome, caughtUp).taken()).toEqual(["connect", { type: "hello", visible: true }, said("a"), { type: "answer", questionId: "q", text: "Yes" }]);
  });

  it("keeps what is refused, with the reason, and does not say it again", () => {
    const rig = new Rig().live().send(say("a"), say("b")).hear(trouble("too_many", "a", "64 wait"), trouble("duplicate", "b"));
    expect(rig.machine.status().outbox).toMatchObject([{ id: "a", refused: "64 wait" }]);
    rig.taken();
    rig.hear(welcome, caughtUp);
    expect(rig.taken()).toEqual([]);
    expect(rig.send({ type: "forget", id: "a" }).machine.status().outbox).toEqual([]);
  });

  it("keeps an answer until it is taken, or says who was first", () => {
    const rig = new Rig().live().send({ type: "answer", questionId: "q", text: "Yes" }).hear(trouble("already_answered", "q", "grace was first"));
    expect(rig.machine.status().answers).toMatchObject([{ refused: "grace was first" }]);
    expect(rig.hear({ type: "question", seq: 5, timestamp: AT, questionId: "q", state: "answered", text: "No", answeredBy: "grace" }).machine.status().answers).toEqual([]);
  });

  it("interrupts over a socket alone", () => {
    expect(new Rig().send({ type: "start" }, { type: "interrupt" }).taken()).toEqual(["connect"]);
    expect(new Rig().live().send({ type: "interrupt" }).taken()).toContainEqual({ type: "interrupt" });
  });

  it("lives on with what it does not know", () => {
    const rig = new Rig().live().send({ type: "message", message: "unknown" });
    expect(rig.machine.status().link).toBe("live");
  });
});

describe("what came", () => {
  const vectors = readFileSync(new URL("../../../protocol/tests/chat-vectors.ndjson", import.meta.url), "utf8").trim().split("\n");

  it.each(vectors.filter((line) => line.startsWith('{"seq"')))("is what the runtime says: %s", (line) => expect(parse(line)).toEqual(JSON.parse(line)));

  it.each([
    ["a message", JSON.stringify(caughtUp), caughtUp],
    ["one of a newer runtime", '{"type":"toString","seq":1,"timestamp":""}', "unknown"],
    ["no JSON", "{", undefined],
    ["bytes", new ArrayBuffer(1), undefined],
    ["null", "null", undefined],
    ["no number", '{"type":"pong","timestamp":""}', undefined],
    ["a field of another type", '{"type":"todo_update","seq":1,"timestamp":"","todos":{}}', undefined],
  ])("may be %s", (_name, data, expected) => expect(parse(data)).toEqual(expected));
});

describe("a workflow that is to begin", () => {
  const started: ServerMessage = { type: "workflow_started", seq: 6, timestamp: AT, workId: "12", autonomy: "guarded", author: "ada" };
  const begin: ClientMessage = { type: "start_workflow", id: "w", workId: "12" };

  it("is asked for until one has begun, under one id, over a lost connection too", () => {
    const rig = new Rig().live();
    rig.taken();
    expect(rig.send({ type: "begin", id: "w", workId: "12" }).taken()).toEqual([begin]);
    expect(rig.machine.status().beginning).toEqual({ id: "w", workId: "12", refused: undefined });
    rig.send({ type: "closed", code: 1006, reason: "" }, { type: "retry" }, { type: "opened" }).hear(welcome, caughtUp);
    expect(rig.taken()).toContainEqual(begin);
    expect(rig.hear(started).machine.status().beginning).toBeUndefined();
  });

  it("had begun where the runtime knows its id already", () => {
    const rig = new Rig().live().send({ type: "begin", id: "w", workId: "12" });
    expect(rig.hear(trouble("duplicate", "w")).machine.status().beginning).toBeUndefined();
  });

  it("is refused in the runtime's words, and not asked for again", () => {
    const rig = new Rig().live().send({ type: "begin", id: "w", workId: "12" }).hear(trouble("workflow_running", "w", "The agent works on 7 already: one at a time."));
    expect(rig.machine.status().beginning?.refused).toBe("The agent works on 7 already: one at a time.");
    rig.taken();
    rig.send({ type: "closed", code: 1006, reason: "" }, { type: "retry" }, { type: "opened" }).hear(welcome, caughtUp);
    expect(rig.taken()).not.toContainEqual(begin);
    expect(rig.send({ type: "abandon" }).machine.status().beginning).toBeUndefined();
  });
});
