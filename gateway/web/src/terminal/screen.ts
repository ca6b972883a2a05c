// xterm.js as the page uses it: WebGL while it is in sight, fitted to its place, with links, search and the clipboard.

import { FitAddon } from "@xterm/addon-fit";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import type { Theme } from "../layout/theme";
import { copyText } from "../components/copy";
import type { Screen } from "./connection";
import { placeLinks, type FilePlace } from "./file-links";
import { Finder, type Found } from "./finder";
import type { Size } from "./kterm";
import { isPasted, pasteable, pasteQuestion, stillStands, type PasteQuestion } from "./paste";
import { Programs } from "./programs";
import { isReport } from "./reports";
import { settings, type Settings } from "./settings";
import { shortcut, type Shortcut } from "./shortcuts";
import { softKey, withControl, type SoftKey } from "./soft-keys";
import { TERMINAL_THEMES } from "./themes";

const SCROLLBACK = 10_000;
const SCROLLBAR = 10;
/** A shell that has not shown its prompt by then does something else, in milliseconds. */
const PROMPT = 1_000;
/** The button of the mouse that selects; the others open a menu or paste. */
const PRIMARY = 0;

/**
 * Ends whatever a program that is gone has left unfinished or switched on: half a sequence, the other screen, margins,
 * reports of mouse and focus, colours, a link.
 */
const LEFT_BEHIND = "\x18\x1b[?1049l\x1b[!p\x1b[?1;9;1000;1002;1003;1004;1005;1006;1015;1016;2004;2026l\x1b[?7;25h\x1b>\x1b(B\x0f\x1b[r\x1b[0m\x1b]8;;\x1b\\";

export interface ScreenOptions {
  place: HTMLElement;
  theme: Theme;
  onInput: (text: string, auto: boolean) => void;
  onBytes: (bytes: Uint8Array) => void;
  onSize: (size: Size) => void;
  onFocus: () => void;
  onShortcut: (what: Exclude<Shortcut, "copy">) => void;
  /** A link whose text is not its address. */
  onHiddenLink: (uri: string) => void;
  onFile: (place: FilePlace) => void;
  onPasteQuestion: (question: PasteQuestion) => void;
  /** A program offers text for the clipboard. */
  onOffer: (text: string) => void;
  onFound: (found: Found) => void;
  /** Whether the next key is one with Control. */
  onControl: (held: boolean) => void;
}

export class TerminalScreen implements Screen {
  readonly finder: Finder;
  readonly #terminal: Terminal;
  readonly #programs: Programs;
  readonly #fit = new FitAddon();
  readonly #observer: ResizeObserver;
  readonly #stop = new AbortController();
  readonly #options: ScreenOptions;
  #webgl: WebglAddon | undefined;
  /** While the handler of a key runs, whatever is sent was typed. */
  #inKey = false;
  /** While a paste goes out that was decided on. */
  #pasting = false;
  #control = false;
  #inSight = true;
  /** The button of the mouse went down inside and is not up yet. */
  #selecting = false;
  /** What comes next begins afresh without wiping away what was there. */
  #parted = false;
  /** What waits until the screen is set apart from what comes. */
  #held: (() => void)[] | undefined;

  constructor(options: ScreenOptions) {
    this.#options = options;
    this.#terminal = new Terminal({
      // The search marks what it finds by an interface that xterm calls proposed.
      allowProposedApi: true,
      fontFamily: '"JetBrains Mono Variable", ui-monospace, Menlo, monospace',
      fontSize: settings().fontSize,
      screenReaderMode: settings().screenReader,
      lineHeight: 1.2,
      cursorBlink: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
      scrollback: SCROLLBACK,
      theme: TERMINAL_THEMES[options.theme],
      minimumContrastRatio: 4.5,
      rightClickSelectsWord: false,
      macOptionIsMeta: true,
      overviewRuler: { width: SCROLLBAR },
      linkHandler: {
        activate: (_event, uri) => isAddress(uri) && options.onHiddenLink(uri),
        hover: (_event, uri) => (options.place.title = uri),
        leave: () => (options.place.title = ""),
      },
    });
    this.#terminal.loadAddon(this.#fit);
    this.#terminal.loadAddon(new WebLinksAddon((_event, uri) => openAddress(uri)));
    this.#terminal.registerLinkProvider(placeLinks(this.#terminal, options.onFile));
    this.#terminal.open(options.place);
    this.#programs = new Programs(this.#terminal, options.onOffer);
    this.finder = new Finder(this.#terminal, options.onFound);
    this.#terminal.parser.registerEscHandler({ final: "c" }, () => this.#keepsAbove());
    this.#useWebgl();
    this.#terminal.attachCustomKeyEventHandler((event) => this.#onKey(event));
    this.#terminal.onData((data) => this.#onData(data));
    this.#terminal.onBinary((data) => options.onBytes(Uint8Array.from(data, (char) => char.charCodeAt(0))));
    const { signal } = this.#stop;
    options.place.addEventListener("focusin", options.onFocus, { signal });
    options.place.addEventListener("paste", (event) => this.#onPaste(event), { capture: true, signal });
    options.place.addEventListener("beforeinput", (event) => this.#onPut(event), { capture: true, signal });
    options.place.addEventListener("mousedown", (event) => (this.#selecting ||= event.button === PRIMARY), { signal });
    // What began inside may end anywhere.
    document.addEventListener("mouseup", (event) => event.button === PRIMARY && this.#onReleased(), { signal });
    this.#fit.fit();
    this.#observer = new ResizeObserver(() => this.fit());
    this.#observer.observe(options.place);
    // Cells are measured with the real font, which may come after the first paint.
    document.fonts.load('13px "JetBrains Mono Variable"').then(
      () => {
        this.#terminal.options.fontFamily = '"JetBrains Mono Variable", ui-monospace, "SF Mono", Menlo, monospace';
        this.fit();
      },
      () => undefined, // The next font of the list does as well.
    );
  }

  get size(): Size {
    return { cols: this.#terminal.cols, rows: this.#terminal.rows };
  }

  /** Whether the shell waits at its prompt; undefined where it does not say. */
  get atPrompt(): boolean | undefined {
    return this.#programs.atPrompt;
  }

  write(bytes: Uint8Array, parsed: () => void): void {
    this.#inOrder(() => this.#terminal.write(bytes, parsed));
  }

  /** In order with what was written before. */
  reset(): void {
    this.#inOrder(() =>
      this.#terminal.write("", () => {
        this.#programs.forget();
        if (!this.#parted) this.#terminal.reset();
      }),
    );
  }

  part(line: string): void {
    this.#held ??= [];
    this.#terminal.write(LEFT_BEHIND, () => {
      // Only when all before is parsed it is known how many rows there are to be moved out of sight.
      const { rows } = this.#terminal;
      this.#parted = true;
      this.#programs.forget();
      this.#terminal.write(`\x1b[${rows};1H\r\n\x1b[2m── ${line} ──\x1b[0m${"\r\n".repeat(rows)}\x1b[H`);
      this.#held?.splice(0).forEach((write) => write());
      this.#held = undefined;
    });
  }

  adopt({ cols, rows }: Size): void {
    this.#inOrder(() => this.#terminal.write("", () => this.#terminal.resize(cols, rows)));
  }

  focus(): void {
    this.#terminal.focus();
  }

  /** The only way into xterm's paste, which would pass on escape sequences. */
  paste(text: string): void {
    this.#pasting = true;
    this.#terminal.paste(pasteable(text));
    this.#pasting = false;
  }

  /** What was asked about may go out, unless the program would take it otherwise by now: then it is asked again. */
  confirmPaste(question: PasteQuestion): void {
    const bracketed = this.#terminal.modes.bracketedPasteMode;
    const again = stillStands(question, bracketed) ? undefined : pasteQuestion(question.text, bracketed);
    if (again === undefined) this.paste(question.text);
    else this.#options.onPasteQuestion(again);
  }

  /** Puts a command into the shell's line without entering it; false where it would not stay there. */
  async typeCommand(command: string): Promise<boolean> {
    // A program that fills the screen takes it for something else.
    if (this.#terminal.buffer.active.type === "alternate") return false;
    if (/[\n\t]/.test(command) && !(await this.#takesWhole())) return false;
    this.paste(command);
    this.focus();
    return true;
  }

  /** Goes to the newest line that begins so, and marks it; false where there is none. */
  goTo(beginning: string): boolean {
    const { active } = this.#terminal.buffer;
    for (let row = active.length - 1; row >= 0; row -= 1) {
      if (active.getLine(row)?.translateToString().startsWith(beginning) !== true) continue;
      this.#terminal.scrollToLine(row);
      this.#terminal.selectLines(row, row);
      return true;
    }
    return false;
  }

  press(key: SoftKey): void {
    this.#terminal.input(softKey(key, this.#control, this.#terminal.modes.applicationCursorKeysMode));
    this.holdControl(false);
  }

  /** The next key is one with Control. */
  holdControl(held: boolean): void {
    this.#control = held;
    this.#options.onControl(held);
  }

  setTheme(theme: Theme): void {
    this.#terminal.options.theme = TERMINAL_THEMES[theme];
  }

  apply({ fontSize, screenReader }: Settings): void {
    this.#terminal.options.screenReaderMode = screenReader;
    if (this.#terminal.options.fontSize === fontSize) return;
    this.#terminal.options.fontSize = fontSize;
    this.fit();
  }

  setViewOnly(viewOnly: boolean): void {
    this.#terminal.options.disableStdin = viewOnly;
  }

  /** Out of sight it draws nothing, and holds none of the few contexts that a page may have. */
  setInSight(inSight: boolean): void {
    if (inSight === this.#inSight) return;
    this.#inSight = inSight;
    if (inSight) {
      this.#useWebgl();
      this.fit();
    } else {
      this.#webgl?.dispose();
      this.#webgl = undefined;
      // The key that comes next goes to another one.
      this.holdControl(false);
    }
  }

  fit(): void {
    if (!this.#inSight || this.#options.place.clientWidth === 0) return;
    const before = this.size;
    this.#fit.fit();
    if (before.cols !== this.size.cols || before.rows !== this.size.rows) this.#options.onSize(this.size);
  }

  dispose(): void {
    this.#stop.abort();
    this.#observer.disconnect();
    this.#programs.dispose();
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

  #inOrder(write: () => void): void {
    if (this.#held === undefined) write();
    else this.#held.push(write);
  }

  /** The reset with which a snapshot begins would take the scrollback along. */
  #keepsAbove(): boolean {
    const keeps = this.#parted;
    this.#parted = false;
    return keeps;
  }

  /** The DOM renderer stays when there is no WebGL, and comes back when the GPU drops the context. */
  #useWebgl(): void {
    try {
      const webgl = new WebglAddon();
      webgl.onContextLoss(() => webgl.dispose());
      this.#terminal.loadAddon(webgl);
      this.#webgl = webgl;
    } catch {
      this.#options.place.dataset.renderer = "dom";
    }
  }

  #onData(data: string): void {
    // Of what could not be kept from it xterm tells nothing but that it was typed.
    if (!this.#pasting && isPasted(data)) return this.#takePaste(data);
    const isOwn = !this.#inKey && isReport(data);
    if (isOwn || !this.#control) return this.#options.onInput(data, isOwn);
    this.holdControl(false);
    this.#options.onInput(withControl(data), false);
  }

  /** However it comes, by keys or by a button of the mouse: xterm never sees it. */
  #onPaste(event: ClipboardEvent): void {
    event.preventDefault();
    event.stopPropagation();
    if (this.#terminal.options.disableStdin !== true) this.#takePaste(event.clipboardData?.getData("text/plain") ?? "");
  }

  /** Lines that an input method puts in at once: xterm would lose their ends. */
  #onPut(event: InputEvent): void {
    if (!event.cancelable || event.data === null || !isPasted(event.data)) return;
    event.preventDefault();
    if (this.#terminal.options.disableStdin !== true) this.#takePaste(event.data);
  }

  #takePaste(pasted: string): void {
    const text = pasteable(pasted);
    const question = settings().guardPaste ? pasteQuestion(text, this.#terminal.modes.bracketedPasteMode) : undefined;
    if (question !== undefined) this.#options.onPasteQuestion(question);
    else if (text !== "") this.paste(text);
  }

  #onReleased(): void {
    if (!this.#selecting) return;
    this.#selecting = false;
    if (settings().copyOnSelect && this.#terminal.hasSelection()) void copyText(this.#terminal.getSelection());
  }

  #onKey(event: KeyboardEvent): boolean {
    this.#inKey = true;
    queueMicrotask(() => (this.#inKey = false));
    if (event.type !== "keydown") return true;
    const what = shortcut(event);
    if (what === undefined) return true;
    // The browser itself pastes; the palette is the page's.
    if (what === "browser") return false;
    event.preventDefault();
    if (what !== "copy") this.#options.onShortcut(what);
    else if (this.#terminal.hasSelection()) void copyText(this.#terminal.getSelection());
    return false;
  }
}

function isAddress(uri: string): boolean {
  return /^https?:/i.test(uri);
}

export function openAddress(uri: string): void {
  if (isAddress(uri)) window.open(uri, "_blank", "noopener,noreferrer");
}
