// A terminal's connection as a state machine without I/O: the link says when there is a socket, the stream what travels
// over it. Events and the time go in, effects come out (connection.ts carries them out).

import { earliest, Link, type LinkEffect, type LinkEvent, type LinkOptions, type LinkStatus } from "../link/link";
import type { ServerFrame, Size } from "./kterm";
import { TerminalStream, type Exit, type StreamEffect } from "./stream";

const FORBIDDEN = "You may not use this terminal (any longer). It needs the right to create sessions/terminal in this namespace.";

export type TerminalEvent =
  | { type: "frame"; frame: ServerFrame }
  | { type: "input"; bytes: Uint8Array; auto: boolean; keys: number }
  | { type: "parsed"; end: number; generation: number }
  | { type: "resize"; size: Size }
  | { type: "discard" }
  | { type: "openShell"; key: string };

export type Event = LinkEvent | TerminalEvent;

export type Effect = StreamEffect | LinkEffect;

export interface Status extends LinkStatus {
  keysWaiting: number;
  viewOnly: boolean;
  exit: Exit | undefined;
  opening: boolean;
  isShown: boolean;
}

export interface Options extends LinkOptions {
  clientId: string;
  size: Size;
}

export class Machine {
  readonly #link: Link;
  readonly #stream: TerminalStream;

  #now = 0;
  #effects: Effect[] = [];

  constructor({ clientId, size, ...options }: Options) {
    this.#stream = new TerminalStream(size, (effect) => this.#effects.push(effect));
    this.#link = new Link(
      options,
      {
        greet: (loss, visible) => {
          const history = loss === undefined ? {} : { cause: loss.cause, attempts: loss.attempts, down_ms: loss.milliseconds };
          const hello = { client_id: clientId, visible, ...history, ...this.#stream.hello(), caps: {} };
          this.#effects.push({ do: "send", frame: { kind: "hello", hello } });
        },
        ping: (visible, now) => this.#effects.push({ do: "send", frame: { kind: "ping", visible, micros: Math.round(now * 1000) } }),
        lost: () => this.#stream.lost(),
        forbidden: FORBIDDEN,
      },
      (effect) => this.#effects.push(effect),
    );
  }

  /** Takes one event and tells what is to be done, in order. */
  handle(event: Event, now: number): Effect[] {
    this.#now = now;
    this.#effects = [];
    this.#dispatch(event);
    return this.#effects;
  }

  /** When the next `tick` is due. */
  deadline(): number | undefined {
    return earliest([...this.#link.deadlines(), ...this.#stream.deadlines()]);
  }

  status(): Status {
    const { keysWaiting, viewOnly, exit, opening, isShown } = this.#stream;
    return { ...this.#link.status(), keysWaiting, viewOnly, exit, opening, isShown };
  }

  #dispatch(event: Event): void {
    switch (event.type) {
      case "frame":
        return this.#frame(event.frame);
      case "tick":
        this.#link.handle(event, this.#now);
        return this.#stream.tick(this.#now);
      case "input":
        return this.#stream.typed(event.bytes, event.auto, event.keys);
      case "parsed":
        return this.#stream.parsed(event.end, event.generation, this.#now);
      case "resize":
        return this.#stream.resize(event.size, this.#now);
      case "discard":
        return this.#stream.discard();
      case "openShell":
        return this.#stream.openShell(event.key);
      default:
        return this.#link.handle(event, this.#now);
    }
  }

  #frame(frame: ServerFrame): void {
    this.#link.heard();
    if (frame.kind === "pong") return;
    if (frame.kind !== "welcome") return this.#stream.frame(frame);
    this.#link.welcomed(this.#now);
    this.#stream.welcomed(frame.welcome);
  }
}
