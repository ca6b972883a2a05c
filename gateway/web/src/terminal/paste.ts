// What a paste may hold, and what is asked before one of many lines.

/** From so many lines on it is asked although the shell takes them as one piece. */
const MANY = 10;
/** Lines that are shown. */
const SHOWN = 8;
/** Characters of a line that are shown. */
const WIDE = 200;

/**
 * Every control character but tab and the ends of lines: a clipboard is filled by whoever wrote what was copied, and an
 * escape sequence in it could end the bracket around the paste and have the rest taken for keys.
 */
// eslint-disable-next-line no-control-regex -- control characters are what this is about
const CONTROLS = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g;

/** The text as it may go into a terminal. */
export function pasteable(text: string): string {
  return text.replace(CONTROLS, "");
}

/**
 * Whether what comes as if it were typed is a paste: keyboards of touch screens put their clipboard in as text of an input
 * method. No key sends a line end with something beside it but Enter with Alt.
 */
export function isPasted(typed: string): boolean {
  return typed.length > 1 && /[\r\n]/.test(typed) && typed !== "\x1b\r";
}

export interface PasteQuestion {
  text: string;
  lines: number;
  /** The first lines. */
  preview: string[];
  /** The program does not tell a paste from keys: each line is entered as it comes. */
  entersEach: boolean;
}

/** What to ask before this is pasted; nothing where it is harmless. `bracketed`: the program takes a paste as one piece. */
export function pasteQuestion(text: string, bracketed: boolean): PasteQuestion | undefined {
  const lines = text.replace(/\r\n?/g, "\n").replace(/\n$/, "").split("\n");
  // A line end alone enters what stands before it.
  const entersEach = !bracketed && /[\r\n]/.test(text);
  if (!entersEach && lines.length < MANY) return undefined;
  return { text, lines: lines.length, preview: lines.slice(0, SHOWN).map((line) => line.slice(0, WIDE)), entersEach };
}

/** Whether what was asked still holds: a program that would enter each line by now was not asked about. */
export function stillStands({ text, entersEach }: PasteQuestion, bracketed: boolean): boolean {
  return entersEach || pasteQuestion(text, bracketed)?.entersEach !== true;
}
