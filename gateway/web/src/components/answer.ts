// What an answer may be. Pure.

/** The API takes no more. */
const ANSWER_BYTES = 4096;

/** Why an answer cannot be sent; undefined when it can. */
export function answerMistake(text: string): string | undefined {
  if (text.trim() === "") return "Choose or write an answer.";
  const bytes = new TextEncoder().encode(text).length;
  return bytes > ANSWER_BYTES ? `The answer may have ${ANSWER_BYTES} bytes; it has ${bytes}.` : undefined;
}

/** Whether an answer gives leave or refuses it: the runtime itself may read it then, and no agent that understands any words. */
export function isDecision(choices: readonly string[]): boolean {
  return choices.some((choice) => choice.toLowerCase() === "approve");
}

/** Words that the runtime takes for a decision by themselves (fabrica_protocol::run::decides). */
const DECIDED = /^(?:approved?(?=[,:.;!]|$)|reject)/i;

/** What is sent of a choice and one's own words, which are a comment where something is decided. Words that decide nothing, without a
 * choice, give no leave. */
export function answerOf(choice: string | undefined, words: string, decides: boolean): string {
  if (!decides) return choice ?? words;
  const comment = words.trim();
  if (comment === "") return choice ?? "";
  if (choice === undefined && DECIDED.test(comment)) return comment;
  return `${choice ?? "reject"}: ${comment}`;
}
