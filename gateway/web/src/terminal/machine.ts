// A terminal's connection as a state machine without I/O: the link says when there is a socket, the stream what travels
// over it. Events and the time go in, effects come out (connection.ts carries them out).

import { Latency } from "../link/latency";
import { BEFORE as UNLINKED, earliest, Link, type LinkEffect, type LinkEvent, type LinkOptions, type LinkStatus } from "../link/link";
import { ErrorCode, type ServerFrame, type Size } from "./kterm";
import type { Exit, Resumed } from "./stream";
import type { Gone, Tab } from "./tab";
import { Terminals, type Remembered, type TabEffect } from "./terminals";

const FORBIDDEN = "You may not use this terminal (any longer). It needs the right to create sessions/terminal in this namespace.";

export type TerminalEvent =
  | { type: "frame"; frame: ServerFrame }
  | { type: "input"; tab: number; bytes: Uint8Array; auto: boolean; keys: number }
  | { type: "parsed"; tab: number; end: number; generation: number }
  | { type: "resize"; tab: number; size: Size }
  | { type: "focus"; tab: number }
  | { type: "discard" }
  | { type: "select"; tab: number }
  | { type: "show"; tab: number; size: Size }
  | { type: "unplace"; tab: number }
  | { type: "open"; key: string; inPlace: boolean }
  | { type: "close"; tab: number }
  | { type: "rename"; tab: number; title: string }
  | { type: "clear" }
  | { type: "move"; tab: number; to: number }
  | { type: "takeBack"; alone: boolean };

export type Event = LinkEvent | TerminalEvent;

export type Effect = TabEffect | LinkEffect;

export interface Status extends LinkStatus {
  tabs: readonly Tab[];
  /** The tab that is looked at. */
  active: number | undefined;
  /** Typed and not delivered, while there is no connection. */
  keysWaiting: number;
  bytesWaiting: number;
  viewOnly: boolean;
  /** Another window types alone. */
  takenOver: boolean;
  exit: Exit | undefined;
  gone: Gone | undefined;
  opening: boolean;
  isShown: boolean;
  /** How the screen came back. */
  resumed: Resumed | undefined;
  /** There and back, in milliseconds. */
  latency: number | undefined;
  /** Whether the runtime takes names of terminals, forgets on request, and knows sole control. */
  renames: boolean;
}

/** Before there is a connection. */
export const BEFORE: Status = {
  ...UNLINKED,
  tabs: [],
  active: undefined,
  keysWaiting: 0,
  bytesWaiting: 0,
  viewOnly: false,
  takenOver: false,
  exit: undefined,
  gone: undefined,
  opening: false,
  isShown: false,
  resumed: undefined,
  latency: undefined,
  renames: false,
};

export interface Options extends LinkOptions {
  clientId: string;
  size: Size;
  remembered: Remembered;
}

export class Machine {
  readonly #link: Link;
  readonly #terminals: Terminals;
  readonly #latency = new Latency();

  #now = 0;
  #effects: Effect[] = [];

  constructor({ clientId, size, remembered, ...options }: Options) {
    this.#terminals = new Terminals(remembered, size, (effect) => this.#effects.push(effect));
    this.#link = new Link(
      options,
      {
        greet: (loss, visible) => {
          const history = loss === undefined ? {} : { cause: loss.cause, attempts: loss.attempts, down_ms: loss.milliseconds };
          const hello = { client_id: clientId, visible, ...history, ...this.#terminals.hello(), caps: { activity: true } };
          this.#effects.push({ do: "send", frame: { kind: "hello", hello } });
        },
        ping: (visible, now) => this.#effects.push({ do: "send", frame: { kind: "ping", visible, micros: Math.round(now * 1000) } }),
        lost: () => {
          this.#latency.forget();
          this.#terminals.lost();
        },
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
    return earliest([...this.#link.deadlines(), ...this.#terminals.deadlines()]);
  }

  status(): Status {
    const { active, viewOnly, gone, opening, renames, live, stream, waiting } = this.#terminals;
    return {
      ...this.#link.status(),
      tabs: this.#terminals.tabs(),
      active,
      keysWaiting: live ? 0 : waiting.keys,
      bytesWaiting: live ? 0 : waiting.bytes,
      viewOnly,
      takenOver: stream?.takenOver ?? false,
      exit: stream?.exit,
      gone,
      opening,
      isShown: stream?.isShown ?? false,
      resumed: stream?.resumed,
      latency: this.#latency.median,
      renames,
    };
  }

  #dispatch(event: Event): void {
    const terminals = this.#terminals;
    switch (event.type) {
      case "frame":
        return this.#frame(event.frame);
      case "tick":
        this.#link.handle(event, this.#now);
        return terminals.tick(this.#now);
      case "input":
        return terminals.typed(event.tab, event.bytes, event.auto, event.keys);
      case "parsed":
        return terminals.parsed(event.tab, event.end, event.generation, this.#now);
      case "resize":
        return terminals.resize(event.tab, event.size, this.#now);
      case "focus":
        return terminals.focus(event.tab);
      case "discard":
        return terminals.discard();
      case "select":
        return terminals.select(event.tab);
      case "show":
        return terminals.show(event.tab, event.size);
      case "unplace":
        return terminals.unplace(event.tab);
      case "open":
        return terminals.open(event.key, event.inPlace);
      case "close":
        return terminals.close(event.tab);
      case "rename":
        return terminals.rename(event.tab, event.title);
      case "clear":
        return terminals.clear();
      case "move":
        return terminals.move(event.tab, event.to);
      case "takeBack":
        return terminals.takeBack(event.alone);
      default:
        return this.#link.handle(event, this.#now);
    }
  }

  #frame(frame: ServerFrame): void {
    this.#link.heard();
    if (frame.kind === "pong") return this.#latency.add(Math.max(0, this.#now - frame.micros / 1000));
    // Only WELCOME tells from where on what was typed is to be said again.
    if (frame.kind === "error" && frame.code === ErrorCode.inputGap) return this.#link.broken("input gap", this.#now);
    if (frame.kind !== "welcome") return this.#terminals.frame(frame);
    this.#link.welcomed(this.#now);
    this.#terminals.welcomed(frame.welcome);
  }
}
