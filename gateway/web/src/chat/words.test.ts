import { describe, expect, it } from "vitest";
import type { Entry } from "./entries";
import { select } from "./search";
import { look, UNREAD_NOTHING } from "./unread";
import { EMPTY } from "./state";
import { autonomyWords, mayCancel, mayStart, phaseMarks, sendHint, spokenAloud, tokens } from "./words";

const base = { key: "k", id: "k", seq: 1, time: "2026-01-01T00:00:00Z" };
const said: Entry = { ...base, is: "said", thought: false, text: "I round **up**", final: true, cut: false };
const tool: Entry = { ...base, is: "tool", name: "Bash", input: "npm test", answer: { output: "expected 10.01", failed: true, durationMs: 1 } };

describe("the workflow's phases", () => {
  const build = { name: "build", status: "started", retry: 1, step: undefined, startedAt: base.time, endedAt: undefined } as const;
  it("are all there before the first begins", () => expect(phaseMarks([], "Faber").map(({ name }) => name)).toEqual(["frame", "architect", "build", "evaluate", "release"]));
  it("are none where there is no workflow", () => expect(phaseMarks([], "None")).toEqual([]));
  it("hold what was told, in their order", () => expect(phaseMarks([{ ...build, name: "extra" }, build], undefined).map(({ name, phase }) => [name, phase?.retry])).toEqual([["frame", undefined], ["architect", undefined], ["build", 1], ["evaluate", undefined], ["release", undefined], ["extra", 1]]));
});

it.each([
  ["working", "live", "Queued until the current step ends"],
  ["idle", "live", "The agent begins at once"],
  ["idle", "waiting", "Kept here and sent when the connection is back"],
] as const)("while the agent is %s and the link %s it says what will happen", (agent, link, words) => expect(sendHint(agent, link)).toBe(words));

it("finds words in what is folded", () => {
  expect(select([said, tool], "10.01")).toEqual([tool]);
  expect(select([said, tool], "")).toEqual([said, tool]);
});

it("adds the tokens of all models up", () => {
  const models = { a: { input: 1, output: 2, cacheRead: 0, cacheWrite: 0 }, b: { input: 1000, output: 0, cacheRead: 3, cacheWrite: 4 } };
  expect(tokens({ models, cost: "1" }).map(([, count]) => count)).toEqual(["1,001", "2", "3", "4"]);
  expect(tokens(undefined)).toEqual([]);
});

it("reads out what is whole, and no thoughts nor tools", () => {
  expect([said, { ...said, final: false }, { ...said, thought: true }, tool].map(spokenAloud)).toEqual(["Agent: I round **up**", undefined, undefined, undefined]);
});

it("knows autonomy by the wire's words", () => expect([autonomyWords("dryRun"), autonomyWords("other")]).toEqual(["It reads and plans, and changes nothing.", "other"]));

describe("what nobody has read", () => {
  const keys = (count: number) => Array.from({ length: count }, (_, at) => ({ key: `k${at}` }));
  const read = look(UNREAD_NOTHING, keys(3), true);

  it("begins where one stopped to read, however much follows", () => {
    const away = look(look(read, keys(5), false), keys(9), false);
    expect(away).toMatchObject({ mark: "k3", read: false });
  });
  it("keeps its mark when one comes back, and has another the next time", () => {
    const back = look(look(read, keys(5), false), keys(5), true);
    expect(back.mark).toBe("k3");
    expect(look(back, keys(6), false).mark).toBe("k5");
  });
  it("is nothing of what was there at first, nor of what one sees come", () => {
    expect(look(UNREAD_NOTHING, keys(3), false).mark).toBeUndefined();
    expect(look(read, keys(5), true).mark).toBeUndefined();
  });
  it("stays the same value while nothing changes", () => expect(look(read, keys(3), true)).toBe(read));
});

it.each([
  ["idle", undefined, true, true, false],
  ["failed", undefined, true, true, false],
  ["starting", undefined, true, false, false],
  ["idle", undefined, false, false, false],
  ["idle", "12", true, false, true],
  ["working", "12", true, false, false],
  ["idle", "12", false, false, false],
] as const)("with an agent that is %s, work on %s, and leave to speak: %s, a workflow may be started: %s, and cancelled: %s", (state, work, maySpeak, start, cancel) => {
  const chat = { ...EMPTY, caughtUp: true, maySpeak, work, agent: { state, message: undefined } };
  expect([mayStart(chat, "live"), mayCancel(chat, "live")]).toEqual([start, cancel]);
  expect([mayStart(chat, "waiting"), mayCancel(chat, "waiting")]).toEqual([false, false]);
});
