// The only place that opens a terminal's socket. It carries out what machine.ts decides: frames and screen updates come
// out.

import { sessionPath } from "../api/client";
import { Driver, surroundings } from "../link/driver";
import type { SessionState } from "../link/link";
import { randomHex } from "../link/random";
import { decode, encode, FrameError, SUBPROTOCOL, type Size } from "./kterm";
import { Machine, type Effect, type Status, type TerminalEvent } from "./machine";

/** What the connection writes to; xterm on the page, a recorder in tests. */
export interface Screen {
  write(bytes: Uint8Array, parsed: () => void): void;
  reset(): void;
  adopt(size: Size): void;
}

export interface ConnectionOptions {
  session: { namespace: string; name: string };
  state: SessionState;
  size: Size;
  screen: Screen;
  onLogin: () => void;
  onNotice: (text: string) => void;
}

export class Connection {
  readonly #driver: Driver<TerminalEvent, Effect, Status>;
  readonly #options: ConnectionOptions;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const machine = new Machine({ ...surroundings(), clientId: randomHex(), size: options.size, session: options.state });
    const socket = { path: `${sessionPath(options.session)}/terminal`, protocol: SUBPROTOCOL, read };
    this.#driver = new Driver(machine, socket, (effect) => this.#perform(effect));
  }

  get status(): Status {
    return this.#driver.status;
  }

  subscribe = (listener: () => void): (() => void) => this.#driver.subscribe(listener);

  start(): void {
    this.#driver.start();
  }

  stop(): void {
    this.#driver.stop();
  }

  input(text: string, auto: boolean): void {
    this.#driver.handle({ type: "input", bytes: new TextEncoder().encode(text), auto, keys: countKeys(text) });
  }

  /** Bytes that are no text: mouse reports of old encodings. */
  inputBytes(bytes: Uint8Array): void {
    this.#driver.handle({ type: "input", bytes, auto: true, keys: 0 });
  }

  resize(size: Size): void {
    this.#driver.handle({ type: "resize", size });
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

  openShell(): void {
    this.#driver.handle({ type: "openShell", key: randomHex() });
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
        const { end, generation } = effect;
        return this.#options.screen.write(effect.bytes, () => this.#driver.handle({ type: "parsed", end, generation }));
      }
      case "reset":
        return this.#options.screen.reset();
      case "adopt":
        return this.#options.screen.adopt(effect.size);
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
