// The only place that opens a terminal's socket. It carries out what machine.ts decides: sockets, timers and the
// events of the browser go in, frames and screen updates come out.

import { sessionPath } from "../api/client";
import { decode, encode, FrameError, SUBPROTOCOL, type Size } from "./kterm";
import { Machine, type Effect, type Event, type SessionState, type Status } from "./machine";

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
  readonly #machine: Machine;
  readonly #options: ConnectionOptions;
  readonly #listeners = new Set<() => void>();
  readonly #stop = new AbortController();
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt: number | undefined;
  #status: Status;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#machine = new Machine({
      clientId: randomHex(),
      size: options.size,
      visible: document.visibilityState === "visible",
      online: navigator.onLine,
      session: options.state,
      random: Math.random,
    });
    this.#status = this.#machine.status();
  }

  get status(): Status {
    return this.#status;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  start(): void {
    const { signal } = this.#stop;
    const on = (target: EventTarget, name: string, event: () => Event): void =>
      target.addEventListener(name, () => this.#handle(event()), { signal });
    on(document, "visibilitychange", () => ({ type: "visible", visible: document.visibilityState === "visible" }));
    on(window, "online", () => ({ type: "network", online: true }));
    on(window, "offline", () => ({ type: "network", online: false }));
    on(window, "focus", () => ({ type: "nudge" }));
    on(window, "pageshow", () => ({ type: "nudge" }));
    this.#handle({ type: "start" });
  }

  stop(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
    this.#drop();
    this.#listeners.clear();
  }

  input(text: string, auto: boolean): void {
    this.#handle({ type: "input", bytes: new TextEncoder().encode(text), auto, keys: countKeys(text) });
  }

  /** Bytes that are no text: mouse reports of old encodings. */
  inputBytes(bytes: Uint8Array): void {
    this.#handle({ type: "input", bytes, auto: true, keys: 0 });
  }

  resize(size: Size): void {
    this.#handle({ type: "resize", size });
  }

  sessionIs(state: SessionState): void {
    this.#handle({ type: "session", state });
  }

  retry(): void {
    this.#handle({ type: "retry" });
  }

  loggedIn(): void {
    this.#handle({ type: "loggedIn" });
  }

  discardKeys(): void {
    this.#handle({ type: "discard" });
  }

  openShell(): void {
    this.#handle({ type: "openShell", key: randomHex() });
  }

  #handle(event: Event): void {
    if (this.#stop.signal.aborted) return;
    this.#machine.handle(event, performance.now()).forEach((effect) => this.#perform(effect));
    this.#schedule();
    this.#publish();
  }

  #perform(effect: Effect): void {
    switch (effect.do) {
      case "connect":
        return this.#connect();
      case "drop":
        return this.#drop();
      case "send":
        this.#socket?.send(encode(effect.frame));
        return;
      case "write": {
        const { end, generation } = effect;
        return this.#options.screen.write(effect.bytes, () => this.#handle({ type: "parsed", end, generation }));
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

  #connect(): void {
    this.#drop();
    const { protocol, host } = window.location;
    const scheme = protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${host}/api/v1${sessionPath(this.#options.session)}/terminal`, SUBPROTOCOL);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#handle({ type: "opened" });
    socket.onclose = ({ code, reason }) => {
      this.#socket = undefined;
      this.#handle({ type: "closed", code, reason });
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket = socket;
  }

  #receive(data: unknown): void {
    try {
      if (!(data instanceof ArrayBuffer)) throw new FrameError("a text frame");
      this.#handle({ type: "frame", frame: decode(data) });
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#handle({ type: "garbled" });
    }
  }

  /** Lets go of the socket without hearing from it again. */
  #drop(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#socket = undefined;
    socket.onopen = socket.onclose = socket.onmessage = null;
    socket.close(1000);
  }

  #schedule(): void {
    const at = this.#machine.deadline();
    if (at === this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    if (at === undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timerAt = undefined;
        this.#handle({ type: "tick" });
      },
      Math.max(0, at - performance.now()),
    );
  }

  #publish(): void {
    const next = this.#machine.status();
    if (same(next, this.#status)) return;
    this.#status = next;
    this.#listeners.forEach((listener) => listener());
  }
}

function same(one: Status, other: Status): boolean {
  return (Object.keys(one) as (keyof Status)[]).every((key) => one[key] === other[key]);
}

function randomHex(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What a person would call the number of keys: an arrow key is one although it sends three bytes. */
export function countKeys(text: string): number {
  return text.startsWith("\x1b") && text.length <= 8 ? 1 : [...text].length;
}
