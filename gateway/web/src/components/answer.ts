// What an answer may be. Pure.

/** The API takes no more. */
const ANSWER_BYTES = 4096;

/** Why an answer cannot be sent; undefined when it can. */
export function answerMistake(text: string): string | undefined {
  if (text.trim() === "") return "Choose or write an answer.";
  const bytes = new TextEncoder().encode(text).length;
  return bytes > ANSWER_BYTES ? `The answer may have ${ANSWER_BYTES} bytes; it has ${bytes}.` : undefined;
}
