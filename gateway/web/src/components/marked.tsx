import { pieces } from "./find";

/** A text in which what was looked for is marked. */
export function Marked({ text, needle }: { text: string; needle: string }) {
  if (needle === "") return text;
  return pieces(text, needle).map((piece, at) =>
    piece.found ? (
      <mark key={at} className="rounded-xs bg-busy-soft text-busy outline outline-busy/40">
        {piece.text}
      </mark>
    ) : (
      piece.text
    ),
  );
}
