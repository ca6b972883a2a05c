// xterm.js as the page uses it: WebGL with a fall-back, fitted to its place, with links and the clipboard.

import { FitAddon } from "@xterm/addon-fit";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import type { Theme } from "../layout/theme";
import { copyText } from "../components/copy";
import type { Screen } from "./connection";
import type { Size } from "./kterm";
import { isReport } from "./reports";
import { TERMINAL_THEMES } from "./themes";

const SCROLLBACK = 10_000;
const SCROLLBAR = 10;
/** A shell that has not shown its prompt by then does something else, in milliseconds. */
const PROMPT = 1_000;

export interface ScreenOptions {
  place: HTMLElement;
  theme: Theme;
  onInput: (text: string, auto: boolean) => void;
  onBytes: (bytes: Uint8Array) => void;
  onSize: (size: Size) => void;
  onTitle: (title: string) => void;
  /** The user wants out of the terminal by keyboard. */
  onLeave: () => void;
}

export class TerminalScreen implements Screen {
  readonly #terminal: Terminal;
  readonly #fit = new FitAddon();
  readonly #observer: ResizeObserver;
  readonly #options: ScreenOptions;
  /** While the handler of a key runs, whatever is sent was typed. */
  #inKey = false;

  constructor(options: ScreenOptions) {
    this.#options = options;
    this.#terminal = new Terminal({
      fontFamily: '"JetBrains Mono Variable", ui-monospace, Menlo, monospace',
      fontSize: 13,
      lineHeight: 1.2,
      cursorBlink: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
      scrollback: SCROLLBACK,
      theme: TERMINAL_THEMES[options.theme],
      minimumContrastRatio: 4.5,
      rightClickSelectsWord: false,
      macOptionIsMeta: true,
      overviewRuler: { width: SCROLLBAR },
      linkHandler: { activate: (_event, uri) => openLink(uri), hover: (_event, uri) => (options.place.title = uri), leave: () => (options.place.title = "") },
    });
    this.#terminal.loadAddon(this.#fit);
    this.#terminal.loadAddon(new WebLinksAddon((_event, uri) => openLink(uri)));
    this.#terminal.open(options.place);
    this.#useWebgl();
    this.#terminal.attachCustomKeyEventHandler((event) => this.#onKey(event));
    this.#terminal.onData((data) => options.onInput(data, !this.#inKey && isReport(data)));
    this.#terminal.onBinary((data) => options.onBytes(Uint8Array.from(data, (char) => char.charCodeAt(0))));
    this.#terminal.onTitleChange(options.onTitle);
    this.#fit.fit();
    this.#observer = new ResizeObserver(() => this.#fitNow());
    this.#observer.observe(options.place);
    // Cells are measured with the real font, which may come after the first paint.
    document.fonts.load('13px "JetBrains Mono Variable"').then(
      () => {
        this.#terminal.options.fontFamily = '"JetBrains Mono Variable", ui-monospace, "SF Mono", Menlo, monospace';
        this.#fitNow();
      },
      () => undefined, // The next font of the list does as well.
    );
  }

  get size(): Size {
    return { cols: this.#terminal.cols, rows: this.#terminal.rows };
  }

  write(bytes: Uint8Array, parsed: () => void): void {
    this.#terminal.write(bytes, parsed);
  }

  /** In order with what was written before. */
  reset(): void {
    this.#terminal.write("", () => this.#terminal.reset());
  }

  adopt({ cols, rows }: Size): void {
    this.#terminal.write("", () => this.#terminal.resize(cols, rows));
  }

  focus(): void {
    this.#terminal.focus();
  }

  paste(text: string): void {
    this.#terminal.paste(text);
  }

  /** Puts a command into the shell's line without entering it; false where it would not stay there. */
  async typeCommand(command: string): Promise<boolean> {
    // A program that fills the screen takes it for something else.
    if (this.#terminal.buffer.active.type === "alternate") return false;
    if (/[\n\t]/.test(command) && !(await this.#takesWhole())) return false;
    this.#terminal.paste(command);
    this.focus();
    return true;
  }

  setTheme(theme: Theme): void {
    this.#terminal.options.theme = TERMINAL_THEMES[theme];
  }

  dispose(): void {
    this.#observer.disconnect();
    this.#terminal.dispose();
  }

  /** Whether the shell tells what is pasted from what is typed: else each line would run as it comes. It says so with its prompt. */
  #takesWhole(): Promise<boolean> {
    const takes = (): boolean => this.#terminal.modes.bracketedPasteMode;
    if (takes()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        parsed.dispose();
        resolve(takes());
      };
      const timer = setTimeout(end, PROMPT);
      const parsed = this.#terminal.onWriteParsed(() => takes() && end());
    });
  }

  #fitNow(): void {
    const before = this.size;
    this.#fit.fit();
    if (before.cols !== this.size.cols || before.rows !== this.size.rows) this.#options.onSize(this.size);
  }

  /** The DOM renderer stays when there is no WebGL, and comes back when the GPU drops the context. */
  #useWebgl(): void {
    try {
      const webgl = new WebglAddon();
      webgl.onContextLoss(() => webgl.dispose());
      this.#terminal.loadAddon(webgl);
    } catch {
      this.#options.place.dataset.renderer = "dom";
    }
  }

  #onKey(event: KeyboardEvent): boolean {
    this.#inKey = true;
    queueMicrotask(() => (this.#inKey = false));
    if (event.type !== "keydown" || !event.ctrlKey || !event.shiftKey) return true;
    if (event.code === "KeyC") {
      event.preventDefault();
      if (this.#terminal.hasSelection()) void copyText(this.#terminal.getSelection());
      return false;
    }
    if (event.code === "ArrowUp") {
      this.#options.onLeave();
      return false;
    }
    // The browser itself pastes on Ctrl-Shift-V; the palette is the page's.
    return event.code !== "KeyV" && event.code !== "KeyK";
  }
}

function openLink(uri: string): void {
  if (/^https?:/i.test(uri)) window.open(uri, "_blank", "noopener,noreferrer");
}

