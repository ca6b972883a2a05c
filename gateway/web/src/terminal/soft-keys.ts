// Keys that a screen keyboard lacks, as what they send.

export const SOFT_KEYS = ["Esc", "Tab", "Left", "Down", "Up", "Right"] as const;
export type SoftKey = (typeof SOFT_KEYS)[number];

const ARROWS: Partial<Record<SoftKey, string>> = { Up: "A", Down: "B", Right: "C", Left: "D" };

/** `application`: the program asked for its own form of the arrow keys. */
export function softKey(key: SoftKey, control: boolean, application: boolean): string {
  if (key === "Esc") return "\x1b";
  if (key === "Tab") return "\t";
  const letter = ARROWS[key] ?? "";
  if (control) return `\x1b[1;5${letter}`;
  return application ? `\x1bO${letter}` : `\x1b[${letter}`;
}

/** What a character becomes while Control is held: the same as on a keyboard that has the key. */
export function withControl(text: string): string {
  if (text.length !== 1) return text;
  if (text === " ") return "\0";
  if (text === "?") return "\x7f";
  const code = text.toUpperCase().charCodeAt(0);
  return code >= 0x40 && code <= 0x5f ? String.fromCharCode(code & 0x1f) : text;
}
