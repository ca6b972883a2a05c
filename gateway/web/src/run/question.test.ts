import { describe, expect, it } from "vitest";
import type { Question, Run } from "../api/types";
import { answerMistake } from "../components/answer";
import { choicesOf, questionOf, whenNobodyAnswers, whereItWaits } from "./question";

const question: Question = { id: "toolu_1", kind: "Selection", question: "Which?", options: ["a", "b"], askedAt: "2026-01-01T00:00:00Z", dueAt: "2026-01-08T00:00:00Z" };

function run(part: Partial<Run>): Run {
  return { namespace: "demo", name: "x", uid: "u", createdAt: "2026-01-01T00:00:00Z", generation: 1, resourceVersion: "1", spec: { repository: { url: "https://git.example.com/a" }, plan: "x" }, ...part };
}

const asking = run({ status: { phase: "Escalated", escalation: question } });

describe("the open question", () => {
  it("is what the status says, with the answer that was given to it", () => {
    expect(questionOf(asking)).toEqual({ question, answer: undefined });
    const answers = [{ id: "other", text: "no" }, { id: "toolu_1", text: "a", answeredBy: "ada" }];
    expect(questionOf({ ...asking, spec: { ...asking.spec, answers } })?.answer).toEqual(answers[1]);
  });

  it.each<[string, Run]>([
    ["of a run that does not ask", run({ status: { phase: "Running" } })],
    ["of a run that has ended", run({ status: { phase: "Failed", escalation: question } })],
    ["of a run that was deleted", { ...asking, archived: true }],
  ])("is none %s", (_name, each) => expect(questionOf(each)).toBeUndefined());
});

describe("its choices", () => {
  it.each<[Question["kind"], string[] | undefined, string[]]>([
    ["Selection", ["a", "b"], ["a", "b"]],
    ["Approval", ["Ship", "Wait"], ["Ship", "Wait"]],
    ["Approval", [], ["Approved", "Rejected"]],
    ["Confirmation", undefined, ["Yes", "No"]],
    ["Clarification", [], []],
  ])("%s with %j", (kind, options, choices) => {
    const asked = { id: "q", kind, question: "?", askedAt: question.askedAt, dueAt: question.dueAt };
    expect(choicesOf(options === undefined ? asked : { ...asked, options })).toEqual(choices);
  });
});

describe("where it waits", () => {
  const attempt = { number: 1, podName: "x-run-1", startedAt: "2026-01-01T00:00:00Z" };
  const condition = (reason: string) => [{ type: "Succeeded", status: "Unknown" as const, reason, message: "", lastTransitionTime: "2026-01-01T00:00:00Z" }];

  it.each([
    ["in a pod that is held", [attempt], "Escalated", "It waits in its pod."],
    ["in a pod for want of another place", [attempt], "WaitingInPod", "could not be kept"],
    ["without a pod", [{ ...attempt, finishedAt: "2026-01-01T00:05:00Z" }], "Escalated", "starts a new one"],
  ])("%s", (_name, attempts, reason, words) => {
    expect(whereItWaits(run({ status: { phase: "Escalated", attempts, conditions: condition(reason) } }))).toContain(words);
  });
});

it.each([
  [undefined, "then the run fails"],
  [{ onTimeout: "Continue" as const }, "then the agent decides itself"],
  [{ onTimeout: "Default" as const, defaultAnswer: "8080" }, "then the answer is “8080”"],
])("says what becomes of it: %j", (escalation, words) => {
  expect(whenNobodyAnswers(run({ spec: { ...asking.spec, ...(escalation === undefined ? {} : { escalation }) } }))).toBe(words);
});

it.each([
  ["  \n", "Choose or write an answer."],
  ["yes", undefined],
  ["ä".repeat(2048), undefined],
  ["ä".repeat(2049), "The answer may have 4096 bytes; it has 4098."],
])("knows what the API would refuse", (text, mistake) => expect(answerMistake(text)).toBe(mistake));
