// The question that a run waits with, in the page's words. Pure.

import type { Answer, Question, Run } from "../api/types";
import { hasEnded, verdict } from "./state";

export type QuestionKind = Question["kind"];

export const KIND_WORDS: Record<QuestionKind, string> = {
  Approval: "Asks for approval",
  Confirmation: "Asks you to confirm",
  Selection: "Asks you to choose",
  Clarification: "Asks how it is meant",
  Review: "Asks for a review",
  ErrorResolution: "Asks how to go on after an error",
};

/** What an agent that asks yes or no, and names no options, can be answered. */
const CHOICES: Partial<Record<QuestionKind, string[]>> = { Approval: ["Approved", "Rejected"], Confirmation: ["Yes", "No"] };

export interface Asked {
  question: Question;
  /** Given already: the run has not gone on yet. */
  answer: Answer | undefined;
}

/** The open question of a run that still can be answered. */
export function questionOf(run: Run): Asked | undefined {
  const question = run.status?.escalation;
  if (question === undefined || hasEnded(run) || run.archived === true) return undefined;
  return { question, answer: run.spec.answers?.find(({ id }) => id === question.id) };
}

export function choicesOf({ kind, options = [] }: Pick<Question, "kind" | "options">): string[] {
  return options.length > 0 ? options : (CHOICES[kind] ?? []);
}

/** What stands still meanwhile. */
export function whereItWaits(run: Run): string {
  if (verdict(run)?.reason === "WaitingInPod") return "It waits in its pod, because its state could not be kept elsewhere.";
  const podLives = run.status?.attempts?.at(-1)?.finishedAt === undefined;
  return podLives ? "It waits in its pod." : "Its state is kept and its pod is gone; an answer starts a new one.";
}

/** What happens when the time is over. */
export function whenNobodyAnswers(run: Run): string {
  const { onTimeout = "Fail", defaultAnswer = "" } = run.spec.escalation ?? {};
  switch (onTimeout) {
    case "Fail":
      return "then the run fails";
    case "Continue":
      return "then the agent decides itself";
    case "Default":
      return `then the answer is “${defaultAnswer}”`;
  }
}
