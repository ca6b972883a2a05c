import { describe, expect, it } from "vitest";
import { answerMistake, answerOf, isDecision } from "./answer";

describe("an answer", () => {
  it.each<[string, string | undefined, string, string]>([
    ["a choice", "approve", " ", "approve"],
    ["a choice with a comment", "approve", " Oil the lock next.\n", "approve: Oil the lock next."],
    ["a refusal with a reason", "reject", "Name it better", "reject: Name it better"],
    ["words without a choice that only begin like leave", undefined, "Approve button is still broken, fix it first", "reject: Approve button is still broken, fix it first"],
    ["typed instead of chosen", undefined, " Approve, and thanks", "Approve, and thanks"],
    ["typed as a refusal", undefined, "rejected: no tests", "rejected: no tests"],
    ["nothing at all", undefined, " \n", ""],
  ])("that decides is %s", (_name, choice, words, text) => expect(answerOf(choice, words, true)).toBe(text));

  it.each<[string | undefined, string, string]>([
    ["Yes", "No, wait", "Yes"],
    [undefined, "No, wait", "No, wait"],
  ])("that decides nothing is the choice %j or else the words as they are", (choice, words, text) => expect(answerOf(choice, words, false)).toBe(text));

  it("is measured with everything that is sent", () => {
    expect(answerMistake(answerOf("approve", "ä".repeat(2043), true))).toBe(undefined);
    expect(answerMistake(answerOf("approve", "ä".repeat(2044), true))).toContain("4097");
  });

  it.each<[string[], boolean]>([
    [["approve", "reject"], true],
    [["Approve", "Later"], true],
    [["Approved", "Rejected"], false],
    [[], false],
  ])("to %j decides: %s", (choices, decides) => expect(isDecision(choices)).toBe(decides));
});
