// Carries out what a machine decides: timers, the events of the browser and one socket go in, and whoever looks is told
// when the status has changed.

import type { LinkEvent } from "./link";

/** Events and the time go in, effects come out. */
export interface Machine<Event, Effect, Status> {
  handle: (event: Event, now: number) => Effect[];
  /** When the next `tick` is due. */
  deadline: () => number | undefined;
  status: () => Status;
}

export interface SocketOptions<Event> {
  /** Below the gateway's API. */
  path: string;
  protocol: string;
  /** What a message means; undefined when nobody understands it. */
  read: (data: unknown) => Event | undefined;
}

export class Driver<Event, Effect, Status extends object> {
  readonly #listeners = new Set<() => void>();
  readonly #stop = new AbortController();
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt: number | undefined;
  #status: Status;

  constructor(
    private readonly machine: Machine<Event | LinkEvent, Effect, Status>,
    private readonly socket: SocketOptions<Event>,
    private readonly perform: (effect: Effect) => void,
  ) {
    this.#status = machine.status();
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
    const on = (target: EventTarget, name: string, event: () => LinkEvent): void =>
      target.addEventListener(name, () => this.handle(event()), { signal });
    on(document, "visibilitychange", () => ({ type: "visible", visible: document.visibilityState === "visible" }));
    on(window, "online", () => ({ type: "network", online: true }));
    on(window, "offline", () => ({ type: "network", online: false }));
    on(window, "focus", () => ({ type: "nudge" }));
    on(window, "pageshow", () => ({ type: "nudge" }));
    this.handle({ type: "start" });
  }

  stop(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
    this.drop();
    this.#listeners.clear();
  }

  handle(event: Event | LinkEvent): void {
    if (this.#stop.signal.aborted) return;
    this.machine.handle(event, performance.now()).forEach(this.perform);
    this.#schedule();
    this.#publish();
  }

  send(data: string | ArrayBufferView<ArrayBuffer>): void {
    this.#socket?.send(data);
  }

  connect(): void {
    this.drop();
    const { protocol, host } = window.location;
    const scheme = protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${host}/api/v1${this.socket.path}`, this.socket.protocol);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.handle({ type: "opened" });
    socket.onclose = ({ code, reason }) => {
      this.#socket = undefined;
      this.handle({ type: "closed", code, reason });
    };
    socket.onmessage = ({ data }) => this.handle(this.socket.read(data) ?? { type: "garbled" });
    this.#socket = socket;
  }

  /** Lets go of the socket without hearing from it again. */
  drop(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#socket = undefined;
    socket.onopen = socket.onclose = socket.onmessage = null;
    socket.close(1000);
  }

  #schedule(): void {
    const at = this.machine.deadline();
    if (at === this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    if (at === undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timerAt = undefined;
        this.handle({ type: "tick" });
      },
      Math.max(0, at - performance.now()),
    );
  }

  #publish(): void {
    const next = this.machine.status();
    if (same(next, this.#status)) return;
    this.#status = next;
    this.#listeners.forEach((listener) => listener());
  }
}

function same<T extends object>(one: T, other: T): boolean {
  return (Object.keys(one) as (keyof T)[]).every((key) => one[key] === other[key]);
}

/** What the browser says now; the first word of every machine. */
export function surroundings(): { visible: boolean; online: boolean; random: () => number } {
  return { visible: document.visibilityState === "visible", online: navigator.onLine, random: Math.random };
}
