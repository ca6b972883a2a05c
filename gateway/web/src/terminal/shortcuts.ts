// Keys that belong to the page while a terminal has the focus. All others are the program's.

export type Shortcut = "copy" | "leave" | "find" | "newTab" | "tabBefore" | "tabBehind" | "larger" | "smaller" | "usual" | "browser";

type Key = Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "shiftKey" | "altKey" | "metaKey">;

const WITH_SHIFT: Record<string, Shortcut> = {
  KeyC: "copy",
  KeyF: "find",
  Enter: "newTab",
  ArrowUp: "leave",
  ArrowLeft: "tabBefore",
  ArrowRight: "tabBehind",
  KeyV: "browser",
  KeyK: "browser",
};

export function shortcut({ key, code, ctrlKey, shiftKey, altKey, metaKey }: Key): Shortcut | undefined {
  if (altKey || (ctrlKey && metaKey) || (!ctrlKey && !metaKey)) return undefined;
  if (metaKey && key === "f") return "find";
  // Where plus and minus lie differs between keyboards.
  if (key === "+" || key === "=") return "larger";
  // With Shift it is Control-Underscore, which undoes in shells.
  if (key === "-") return "smaller";
  if (key === "0") return "usual";
  return ctrlKey && shiftKey ? WITH_SHIFT[code] : undefined;
}
