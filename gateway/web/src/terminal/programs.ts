// What a program says to the page rather than to the person: that the shell is at its prompt (OSC 133), that something
// is to be put on the clipboard (OSC 52).

import type { IDisposable, Terminal } from "@xterm/xterm";

/** The longest text that a program may offer for the clipboard, in characters of base64. */
const LONGEST_OFFER = 128 * 1024;

/** The text that OSC 52 offers. What asks for the clipboard's content is never answered. */
export function offeredText(data: string): string | undefined {
  const [, base64 = ""] = /^[^;]*;([A-Za-z0-9+/]+={0,2})$/.exec(data) ?? [];
  if (base64 === "" || base64.length > LONGEST_OFFER) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
  } catch {
    return undefined;
  }
}

/** Whether the shell waits at its prompt, as it says itself; undefined where it has not said anything. */
export function promptAfter(data: string, before: boolean | undefined): boolean | undefined {
  switch (data.slice(0, 1)) {
    case "A":
    case "B":
    case "D":
      return true;
    case "C":
      return false;
    default:
      return before;
  }
}

export class Programs implements IDisposable {
  #atPrompt: boolean | undefined;
  readonly #handlers: IDisposable[];

  constructor(terminal: Pick<Terminal, "parser">, onOffer: (text: string) => void) {
    this.#handlers = [
      terminal.parser.registerOscHandler(52, (data) => {
        const text = offeredText(data);
        if (text !== undefined) onOffer(text);
        return true;
      }),
      terminal.parser.registerOscHandler(133, (data) => {
        this.#atPrompt = promptAfter(data, this.#atPrompt);
        return true;
      }),
    ];
  }

  get atPrompt(): boolean | undefined {
    return this.#atPrompt;
  }

  /** What is shown is another screen: its shell has not said anything yet. */
  forget(): void {
    this.#atPrompt = undefined;
  }

  dispose(): void {
    this.#handlers.forEach((handler) => handler.dispose());
  }
}
