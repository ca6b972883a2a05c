import { describe, expect, it } from "vitest";
import type { Run } from "../api/types";
import { duration } from "../session/time";
import { losses, manifest } from "./manifest";
import { addressOf, hasEnded, headline, stateOf, wordOf, type StateName } from "./state";

const verdict = (status: string, reason: string, message: string) => [{ type: "Succeeded", status, reason, message, lastTransitionTime: "2026-01-01T00:00:00Z" }];

function run(part: Partial<Run>): Run {
  return { namespace: "demo", name: "x", uid: "u", createdAt: "2026-01-01T00:00:00Z", generation: 1, resourceVersion: "1", spec: { repository: { url: "https://git.example.com/a" }, plan: "x" }, ...part };
}

const running = run({
  status: { phase: "Running", conditions: verdict("Unknown", "Running", "Attempt 1 runs."), messages: [{ seq: 1, time: "2026-01-01T00:00:00Z", type: "Started", text: "Block 1 of 2" }] },
});
const asking = run({
  status: { phase: "Escalated", conditions: verdict("Unknown", "Escalated", "Which"), escalation: { id: "q", kind: "Clarification", question: "Which port?", askedAt: "2026-01-01T00:00:00Z", dueAt: "2026-01-08T00:00:00Z" } },
});
const failed = run({ status: { phase: "Failed", finishedAt: "2026-01-01T00:01:00Z", conditions: verdict("False", "PushRejected", "The remote refused the push.") } });

describe("a run in one word and one sentence", () => {
  it.each<[string, Run, StateName, string]>([
    ["without a status", run({}), "pending", "Waiting for the operator to see it."],
    ["queued", run({ status: { phase: "Queued", conditions: verdict("Unknown", "Queued", "2 Runs go first.") } }), "queued", "2 Runs go first."],
    ["running", running, "running", "Block 1 of 2"],
    ["waiting for an answer", asking, "escalated", "Which port?"],
    ["waiting for an answer, told by its condition alone", run({ status: { phase: "Escalated", conditions: verdict("Unknown", "Escalated", "Which?") } }), "escalated", "Which?"],
    ["deleted while it ran", { ...running, archived: true }, "deleted", "It was deleted before it ended."],
    ["deleted after it failed", { ...failed, archived: true }, "failed", "The remote refused the push."],
    ["asked to stop", run({ ...running, spec: { ...running.spec, desiredState: "Cancelled" } }), "cancelling", "Attempt 1 runs."],
    ["failed", failed, "failed", "The remote refused the push."],
    ["failed after it was asked to stop", run({ ...failed, spec: { ...failed.spec, desiredState: "Cancelled" } }), "failed", "The remote refused the push."],
    ["completed", run({ status: { phase: "Completed", conditions: [] } }), "completed", "It did what the plan says."],
    ["being deleted", run({ ...failed, deletionTimestamp: "2026-01-01T00:00:00Z" }), "deleting", "Its pods are being deleted."],
  ])("%s", (_name, each, state, words) => {
    expect(stateOf(each)).toBe(state);
    expect(headline(each)).toBe(words);
  });

  it("names its place while it is queued, and then alone", () => {
    const at = (phase: "Queued" | "Running", queuePosition?: number): Run => run({ status: { phase, conditions: [], ...(queuePosition === undefined ? {} : { queuePosition }) } });
    expect([at("Queued", 3), at("Queued"), at("Running", 3)].map(wordOf)).toEqual(["Queued (3)", "Queued", "Running"]);
  });

  it("is found by its UID when another one may have its name", () => {
    expect(addressOf(running)).toBe("/ns/demo/runs/x");
    expect(addressOf({ ...running, archived: true })).toBe("/ns/demo/runs/x?uid=u");
  });

  it("ends once", () => {
    expect([run({}), running, failed].map(hasEnded)).toEqual([false, false, true]);
  });
});

describe("the manifest", () => {
  it("leaves out what the gateway added", () => {
    const spec = { ...failed.spec, owner: "ada", desiredState: "Cancelled" as const, answers: [{ id: "q", text: "yes" }] };
    expect(manifest(run({ spec }))).toMatchObject({ kind: "Run", metadata: { name: "x" }, spec: { plan: "x" } });
    expect(manifest(run({ spec }))).not.toHaveProperty("spec.owner");
    expect(manifest(run({ spec }))).not.toHaveProperty("spec.desiredState");
    expect(manifest(run({ spec }))).not.toHaveProperty("spec.answers");
  });

  it("says what a delete takes", () => {
    expect(losses(running)[0]).toContain("not pushed");
    expect(losses(failed)).toHaveLength(1);
  });
});

describe("duration", () => {
  it.each([
    [5, "5 s"],
    [62, "1 min 2 s"],
    [3720, "1 h 2 min"],
    [90_000, "1 d 1 h"],
    [-5, "0 s"],
  ])("%i seconds", (seconds, words) => {
    expect(duration("2026-01-01T00:00:00Z", Date.parse("2026-01-01T00:00:00Z") + seconds * 1000)).toBe(words);
  });
});
