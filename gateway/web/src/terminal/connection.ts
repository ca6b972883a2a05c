// The only place that opens a terminal's socket. It carries out what machine.ts decides: frames and screen updates come
// out.

import { sessionPath } from "../api/client";
import { Driver, surroundings } from "../link/driver";
import type { SessionState } from "../link/link";
import { randomHex } from "../link/random";
import { decode, encode, FrameError, SUBPROTOCOL, type Size } from "./kterm";
import { Machine, type Effect, type Status, type TerminalEvent } from "./machine";
import type { Remembered } from "./terminals";

/** What the connection writes to; xterm on the page, a recorder in tests. */
export interface Screen {
  write(bytes: Uint8Array, parsed: () => void): void;
  reset(): void;
  /** What is shown stays readable above what comes, under a line that says why. */
  part(line: string): void;
  adopt(size: Size): void;
}

export interface ConnectionOptions {
  session: { namespace: string; name: string };
  state: SessionState;
  remembered: Remembered;
  onLogin: () => void;
  onNotice: (text: string) => void;
  /** The runtime is another process than before the loss at that time; says when and why, in one line. */
  onRestart: (lostAt: number) => string;
}

/** Until the first screen has been measured. */
const UNMEASURED: Size = { cols: 80, rows: 24 };

export class Connection {
  readonly #driver: Driver<TerminalEvent, Effect, Status>;
  readonly #options: ConnectionOptions;
  readonly #screens = new Map<number, Screen>();
  #started = false;
  #live = false;
  #lostAt = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const machine = new Machine({ ...surroundings(), clientId: randomHex(), size: UNMEASURED, remembered: options.remembered, session: options.state });
    const socket = { path: `${sessionPath(options.session)}/terminal`, protocol: SUBPROTOCOL, read };
    this.#driver = new Driver(machine, socket, (effect) => this.#perform(effect));
    this.#driver.subscribe(() => this.#noteLoss());
  }

  get status(): Status {
    return this.#driver.status;
  }

  subscribe = (listener: () => void): (() => void) => this.#driver.subscribe(listener);

  stop(): void {
    this.#driver.stop();
  }

  /** A tab has a screen now. With the first one the connection begins: its size goes out with the first word. */
  place(tab: number, screen: Screen, size: Size): void {
    this.#screens.set(tab, screen);
    this.show(tab, size);
    if (this.#started) return;
    this.#started = true;
    this.#driver.start();
  }

  unplace(tab: number): void {
    this.#screens.delete(tab);
    this.#driver.handle({ type: "unplace", tab });
  }

  show(tab: number, size: Size): void {
    this.#driver.handle({ type: "show", tab, size });
  }

  select(tab: number): void {
    this.#driver.handle({ type: "select", tab });
  }

  close(tab: number): void {
    this.#driver.handle({ type: "close", tab });
  }

  rename(tab: number, title: string): void {
    this.#driver.handle({ type: "rename", tab, title });
  }

  clear(): void {
    this.#driver.handle({ type: "clear" });
  }

  move(tab: number, to: number): void {
    this.#driver.handle({ type: "move", tab, to });
  }

  takeBack(alone: boolean): void {
    this.#driver.handle({ type: "takeBack", alone });
  }

  input(tab: number, text: string, auto: boolean): void {
    this.#driver.handle({ type: "input", tab, bytes: new TextEncoder().encode(text), auto, keys: countKeys(text) });
  }

  /** Bytes that are no text: mouse reports of old encodings. */
  inputBytes(tab: number, bytes: Uint8Array): void {
    this.#driver.handle({ type: "input", tab, bytes, auto: true, keys: 0 });
  }

  resize(tab: number, size: Size): void {
    this.#driver.handle({ type: "resize", tab, size });
  }

  /** Somebody turns to this terminal: it has this window's size from now on. */
  focus(tab: number): void {
    this.#driver.handle({ type: "focus", tab });
  }

  sessionIs(state: SessionState): void {
    this.#driver.handle({ type: "session", state });
  }

  retry(): void {
    this.#driver.handle({ type: "retry" });
  }

  loggedIn(): void {
    this.#driver.handle({ type: "loggedIn" });
  }

  discardKeys(): void {
    this.#driver.handle({ type: "discard" });
  }

  /** Another shell: in a tab of its own, or in the place of the one that has ended. */
  open(inPlace: boolean): void {
    this.#driver.handle({ type: "open", key: randomHex(), inPlace });
  }

  #noteLoss(): void {
    const live = this.status.link === "live";
    if (this.#live && !live) this.#lostAt = Date.now();
    this.#live = live;
  }

  #perform(effect: Effect): void {
    switch (effect.do) {
      case "connect":
        return this.#driver.connect();
      case "drop":
        return this.#driver.drop();
      case "send":
        return this.#driver.send(encode(effect.frame));
      case "write": {
        const { tab, end, generation } = effect;
        return this.#screens.get(tab)?.write(effect.bytes, () => this.#driver.handle({ type: "parsed", tab, end, generation }));
      }
      case "reset":
        return this.#screens.get(effect.tab)?.reset();
      case "part":
        return this.#screens.get(effect.tab)?.part(this.#options.onRestart(this.#lostAt));
      case "adopt":
        return this.#screens.get(effect.tab)?.adopt(effect.size);
      case "login":
        return this.#options.onLogin();
      case "notice":
        return this.#options.onNotice(effect.text);
    }
  }
}

function read(data: unknown): TerminalEvent | undefined {
  try {
    return data instanceof ArrayBuffer ? { type: "frame", frame: decode(data) } : undefined;
  } catch (error) {
    if (error instanceof FrameError) return undefined;
    throw error;
  }
}

/** What a person would call the number of keys: an arrow key is one although it sends three bytes. */
export function countKeys(text: string): number {
  return text.startsWith("\x1b") && text.length <= 8 ? 1 : [...text].length;
}
