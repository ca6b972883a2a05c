import { useState } from "react";
import { holds } from "./find";
import { Marked } from "./marked";

/** Longer texts are folded, in characters. */
const LONG = 1_200;

/** A text as it is, or its beginning. */
export function LongText({ text, needle, tone }: { text: string; needle: string; tone: string }) {
  const [open, setOpen] = useState(false);
  const whole = open || text.length <= LONG || holds(text.slice(LONG - needle.length), needle);
  return (
    <>
      <p className={`break-words whitespace-pre-wrap ${tone}`}>
        <Marked text={whole ? text : `${text.slice(0, LONG)}…`} needle={needle} />
      </p>
      {!whole && (
        <button type="button" onClick={() => setOpen(true)} className="rounded font-medium text-accent-text underline-offset-2 hover:underline pointer-coarse:py-3">
          Show all {text.length.toLocaleString("en-GB")} characters
        </button>
      )}
    </>
  );
}
