import { describe, expect, it } from "vitest";
import type { Session } from "../api/types";
import { keeps, losses, manifest } from "./manifest";
import { agentTrouble, hasAgent, headline, isStuck, stateOf, steps, switchesAgent, wakesOnOpen, workflowOf, type StateName } from "./state";
import { due, relative } from "./time";

const condition = (type: string, status: string, reason: string, message: string) => ({ type, status, reason, message, lastTransitionTime: "2026-01-01T00:00:00Z" });

function session(part: Partial<Session>): Session {
  return { namespace: "demo", name: "x", uid: "u", createdAt: "2026-01-01T00:00:00Z", generation: 1, resourceVersion: "1", spec: {}, ...part };
}

const starting = session({
  status: {
    phase: "Starting",
    conditions: [condition("Ready", "False", "Starting", "The start steps run.")],
    messages: [
      { seq: 1, time: "2026-01-01T00:00:00Z", type: "Finished", text: "Identity" },
      { seq: 2, time: "2026-01-01T00:00:01Z", type: "Progress", text: "Cloning repository, 43 %" },
    ],
  },
});
const ready = session({ status: { phase: "Running", conditions: [condition("Ready", "True", "Ready", "")] } });
const failed = session({ status: { phase: "Failed", conditions: [condition("Ready", "False", "ImagePullFailed", "The image cannot be pulled.")] } });
const idle = session({ status: { phase: "Stopped", conditions: [condition("Suspended", "True", "IdleTimeout", "…")] } });
const suspended = session({ spec: { operatingMode: "Suspended" }, status: { phase: "Stopped", conditions: [condition("Suspended", "True", "Suspended", "…")] } });

describe("a session in one word and one sentence", () => {
  it.each<[string, Session, StateName, string | undefined]>([
    ["without a status", session({}), "starting", "Waiting for the operator to see it."],
    ["starting", starting, "starting", "Cloning repository, 43 %"],
    ["ready", ready, "ready", undefined],
    ["failed", failed, "failed", "The image cannot be pulled."],
    ["idle", idle, "stopped", "Stopped because nobody used it for a while."],
    ["suspended", suspended, "stopped", "Suspended by a user."],
    ["being deleted", session({ ...ready, deletionTimestamp: "2026-01-01T00:00:00Z" }), "deleting", "The pod is being stopped."],
  ])("%s", (_name, each, state, words) => {
    expect(stateOf(each)).toBe(state);
    expect(headline(each)).toBe(words);
  });

  it("lets a cause speak before an old step", () => {
    const status = { ...starting.status, phase: "Starting" as const, conditions: [condition("Ready", "False", "CloneFailed", "git: not found")] };
    expect(headline(session({ status }))).toBe("git: not found");
  });

  it("tells a start that is stuck from one that goes on", () => {
    const stuck = session({ status: { phase: "Pending", conditions: [condition("Ready", "False", "ImagePullFailed", "…")] } });
    expect([stuck, starting, ready, failed].map(isStuck)).toEqual([true, false, false, false]);
  });

  it("knows the step that runs", () => {
    expect(steps(starting).map((step) => step.current)).toEqual([false, true]);
  });

  it("wakes what stopped by itself, not what somebody stopped", () => {
    expect([wakesOnOpen(idle), wakesOnOpen(suspended), wakesOnOpen(ready)]).toEqual([true, false, false]);
  });
});

describe("the agent of a terminal", () => {
  const repository = { url: "https://git.example.com/team/project" };
  const on = (...conditions: ReturnType<typeof condition>[]) => session({ spec: { agentState: "On" }, status: { conditions } });

  it.each([
    ["told of nothing", on(), false],
    ["on its way", on(condition("AgentReady", "False", "Starting", "…")), false],
    ["asked for a moment ago", on(condition("AgentReady", "False", "AgentOff", "…")), false],
    ["missing", on(condition("AgentReady", "False", "AgentMissing", "…")), true],
  ])("cannot be spoken to while it is %s", (_, waiting, failed) => {
    expect(agentTrouble(waiting)?.failed).toBe(failed);
  });

  it("is there, or nobody speaks of it", () => {
    const there = on(condition("AgentReady", "True", "AgentOn", "…"));
    const chat = session({ spec: { mode: "Chat" } });
    const off = session({ spec: { agentState: "Off" } });
    expect([there, chat, off].map(agentTrouble)).toEqual([undefined, undefined, undefined]);
    expect([there, chat, off].map(hasAgent)).toEqual([true, true, false]);
    expect([there, chat].map(workflowOf)).toEqual(["None", "Faber"]);
  });

  it.each<[Session["spec"], boolean, boolean]>([
    [{ repository }, true, true],
    [{ repository, agentState: "Off" }, false, false],
    [{ repository, agentState: "On" }, false, true],
    [{ agentState: "On" }, true, false],
    [{ repository, mode: "Chat" }, true, false],
  ])("of %j, where Chat is on: %j, can be switched: %j", (spec, chatEnabled, expected) => {
    expect(switchesAgent(session({ spec }), chatEnabled)).toBe(expected);
  });
});

it("names what a delete takes and what it leaves", () => {
  const volume = session({ spec: { workspace: { size: "10Gi" } } });
  const kept = session({ spec: { workspace: { size: "10Gi", retain: true } } });
  expect(losses(session({})).join()).toContain("all files");
  expect(losses(volume).join()).toContain("10Gi volume");
  expect(losses(kept).join()).not.toContain("volume");
  expect([keeps(volume), keeps(kept)]).toEqual([undefined, expect.stringContaining("x-workspace stays")]);
});

it("shows a manifest as it would stand in Git", () => {
  const spec = { owner: "ada", wakeTime: "2026-01-01T00:00:00Z", workspace: { size: "1Gi" } };
  expect(manifest(session({ spec }))).toEqual({ apiVersion: "fabrica.dev/v1alpha1", kind: "Session", metadata: { name: "x", namespace: "demo" }, spec: { workspace: { size: "1Gi" } } });
});

it.each([
  [2, "now"],
  [42, "42s ago"],
  [3 * 60 + 20, "3m ago"],
  [5 * 3600, "5h ago"],
  [50 * 3600, "2d ago"],
])("says %d seconds ago as %s", (seconds, words) => {
  expect(relative("2026-01-01T00:00:00Z", Date.parse("2026-01-01T00:00:00Z") + seconds * 1000)).toBe(words);
});

it.each([
  ["today", new Date(2026, 0, 1, 14, 32), "14:32 (in 12 min)"],
  ["at once", new Date(2026, 0, 1, 14, 20, 2), "14:20 (now)"],
  ["on another day", new Date(2026, 0, 8, 9, 0), "09:00 on Thu 8 Jan (in 6 days)"],
  ["already", new Date(2026, 0, 1, 14, 0), "14:00 (the time is over)"],
])("says what is due %s", (_name, at, words) => {
  expect(due(at.toISOString(), new Date(2026, 0, 1, 14, 20).getTime())).toBe(words);
});
