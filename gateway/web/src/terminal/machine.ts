// The connection as a state machine without I/O: events and the time go in, effects come out (connection.ts carries
// them out). When to connect, how to notice a dead socket and what to tell the user is decided here; what travels over
// the socket in stream.ts.

import { verdict } from "./close-codes";
import type { ServerFrame, Size } from "./kterm";
import { Retry } from "./retry";
import { TerminalStream, type Exit, type StreamEffect } from "./stream";

const CONNECT_DEADLINE = 10_000;
const PING_VISIBLE = 15_000;
const PING_HIDDEN = 60_000;
const PONG_DEADLINE = 5_000;
/** After an event that hints at a dead socket there is less patience. */
const PROBE_DEADLINE = 1_500;
const NOT_READY_DELAY = 1_000;
/** A gateway that has just started may not have seen a new session yet. */
const NOT_FOUND_TRIES = 3;

export type SessionState = "ready" | "waiting" | "stopped";

export type Event =
  | { type: "start" }
  | { type: "opened" }
  | { type: "frame"; frame: ServerFrame }
  | { type: "closed"; code: number; reason: string }
  | { type: "garbled" }
  | { type: "tick" }
  | { type: "input"; bytes: Uint8Array; auto: boolean; keys: number }
  | { type: "parsed"; end: number; generation: number }
  | { type: "resize"; size: Size }
  | { type: "visible"; visible: boolean }
  | { type: "network"; online: boolean }
  | { type: "nudge" }
  | { type: "session"; state: SessionState }
  | { type: "retry" }
  | { type: "loggedIn" }
  | { type: "discard" }
  | { type: "openShell"; key: string };

export type Effect = StreamEffect | { do: "connect" } | { do: "drop" } | { do: "login" };

/** `held`: the session has nothing to connect to. `halted`: only the user can go on from here. */
export type Link = "idle" | "held" | "waiting" | "connecting" | "greeting" | "live" | "login" | "halted";

export interface Status {
  link: Link;
  /** Whether a connection has ever stood on this page. */
  established: boolean;
  attempt: number;
  retryAt: number | undefined;
  online: boolean;
  keysWaiting: number;
  viewOnly: boolean;
  why: string | undefined;
  exit: Exit | undefined;
  opening: boolean;
}

export interface Options {
  clientId: string;
  size: Size;
  visible: boolean;
  online: boolean;
  session: SessionState;
  random: () => number;
}

export class Machine {
  #link: Link = "idle";
  #session: SessionState;
  #visible: boolean;
  #online: boolean;
  readonly #clientId: string;
  readonly #retry: Retry;
  readonly #stream: TerminalStream;

  #established = false;
  #attempt = 0;
  #notFound = 0;
  #liveSince = 0;
  #lostAt: number | undefined;
  #cause: string | undefined;
  #why: string | undefined;

  #retryAt: number | undefined;
  #connectBy: number | undefined;
  #pingAt: number | undefined;
  #pongBy: number | undefined;

  #now = 0;
  #effects: Effect[] = [];

  constructor(options: Options) {
    this.#clientId = options.clientId;
    this.#visible = options.visible;
    this.#online = options.online;
    this.#session = options.session;
    this.#retry = new Retry(options.random);
    this.#stream = new TerminalStream(options.size, (effect) => this.#effects.push(effect));
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
    const all = [this.#retryAt, this.#connectBy, this.#pingAt, this.#pongBy, ...this.#stream.deadlines()];
    const due = all.filter((at) => at !== undefined);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  status(): Status {
    const { keysWaiting, viewOnly, exit, opening } = this.#stream;
    return { link: this.#link, established: this.#established, attempt: this.#attempt, retryAt: this.#retryAt, online: this.#online, keysWaiting, viewOnly, why: this.#why, exit, opening };
  }

  #dispatch(event: Event): void {
    switch (event.type) {
      case "start":
        return this.#session === "ready" ? this.#connect() : this.#hold();
      case "opened":
        return this.#greet();
      case "frame":
        return this.#frame(event.frame);
      case "closed":
        return this.#closed(event.code, event.reason);
      case "garbled":
        this.#effects.push({ do: "drop" });
        return this.#closed(4400, "");
      case "tick":
        return this.#tick();
      case "input":
        return this.#stream.typed(event.bytes, event.auto, event.keys);
      case "parsed":
        return this.#stream.parsed(event.end, event.generation, this.#now);
      case "resize":
        return this.#stream.resize(event.size, this.#now);
      case "visible":
        this.#visible = event.visible;
        return event.visible ? this.#nudge() : this.#ping(PONG_DEADLINE);
      case "network":
        this.#online = event.online;
        return this.#nudge();
      case "nudge":
        return this.#nudge();
      case "session":
        return this.#sessionIs(event.state);
      case "retry":
        if (this.#link !== "live" && this.#link !== "connecting" && this.#link !== "greeting") this.#connect();
        return;
      case "loggedIn":
        if (this.#link === "login") this.#connect();
        return;
      case "discard":
        return this.#stream.discard();
      case "openShell":
        return this.#stream.openShell(event.key);
    }
  }

  // --- connecting -------------------------------------------------------------------------------------------------

  #connect(): void {
    this.#link = "connecting";
    this.#retryAt = this.#why = undefined;
    this.#attempt += 1;
    this.#connectBy = this.#now + CONNECT_DEADLINE;
    this.#effects.push({ do: "connect" });
  }

  #greet(): void {
    this.#link = "greeting";
    const history = this.#lostAt === undefined ? {} : { cause: this.#cause ?? "unknown", attempts: this.#attempt, down_ms: Math.round(this.#now - this.#lostAt) };
    const hello = { client_id: this.#clientId, visible: this.#visible, ...history, ...this.#stream.hello(), caps: {} };
    this.#effects.push({ do: "send", frame: { kind: "hello", hello } });
  }

  #frame(frame: ServerFrame): void {
    // Any frame proves that the socket lives, whatever it waits behind.
    this.#pongBy = undefined;
    if (frame.kind === "pong") return;
    if (frame.kind !== "welcome") return this.#stream.frame(frame);
    this.#link = "live";
    this.#established = true;
    this.#attempt = this.#notFound = 0;
    this.#liveSince = this.#now;
    this.#lostAt = this.#cause = this.#connectBy = undefined;
    this.#retry.welcomed();
    this.#pingAt = this.#now + this.#pingEvery();
    this.#stream.welcomed(frame.welcome);
  }

  // --- losing -----------------------------------------------------------------------------------------------------

  #closed(code: number, reason: string): void {
    const wasLive = this.#link === "live";
    this.#stopTimers();
    if (this.#established) this.#lostAt ??= this.#now;
    this.#cause ??= `closed with ${code}`;
    const next = verdict(code, reason);
    switch (next.then) {
      case "halt":
        return this.#halt(code, next.why);
      case "login":
        this.#link = "login";
        this.#effects.push({ do: "login" });
        return;
      case "wait":
        return this.#wait(next.milliseconds ?? NOT_READY_DELAY);
      case "retry":
        return this.#wait(wasLive ? this.#retry.afterLoss(this.#now - this.#liveSince) : this.#retry.afterFailure(this.#now));
      case "backOff":
        return this.#wait(wasLive ? this.#retry.afterLoss(0) : this.#retry.afterFailure(this.#now));
    }
  }

  #wait(delay: number): void {
    if (this.#session !== "ready") return this.#hold();
    this.#link = "waiting";
    // Without a network tries are rare, not absent: the browser's word about it is not always right.
    this.#retryAt = this.#now + (this.#online ? delay : this.#retry.probe());
  }

  /** Nothing to connect to: the page says why, and the session's own state leads on. */
  #hold(): void {
    this.#stopTimers();
    this.#link = "held";
  }

  #halt(code: number, why: string): void {
    if (code === 4404 && (this.#notFound += 1) < NOT_FOUND_TRIES) return this.#wait(this.#retry.afterFailure(this.#now));
    this.#link = "halted";
    this.#why = why;
  }

  #replaceSocket(cause: string): void {
    this.#cause = cause;
    this.#effects.push({ do: "drop" });
    this.#closed(1006, "");
  }

  #stopTimers(): void {
    this.#retryAt = this.#connectBy = this.#pingAt = this.#pongBy = undefined;
    this.#stream.lost();
  }

  // --- events of the world ----------------------------------------------------------------------------------------

  #nudge(): void {
    if (this.#link === "live") this.#ping(PROBE_DEADLINE);
    else if (this.#link === "waiting") this.#connect();
  }

  #sessionIs(state: SessionState): void {
    if (this.#session === state) return;
    this.#session = state;
    if (state === "ready" && (this.#link === "held" || this.#link === "waiting")) this.#connect();
    else if (state !== "ready" && this.#link === "waiting") this.#hold();
  }

  #tick(): void {
    const due = (at: number | undefined): boolean => at !== undefined && at <= this.#now;
    if (due(this.#connectBy)) return this.#replaceSocket("no answer");
    if (due(this.#pongBy)) return this.#replaceSocket("ping timeout");
    if (due(this.#retryAt)) {
      // A breaker's probe is for somebody who looks.
      if (!this.#retry.breakerOpen || this.#visible) return this.#connect();
      this.#retryAt = this.#now + this.#retry.probe();
    }
    if (due(this.#pingAt)) this.#ping(PONG_DEADLINE);
    this.#stream.tick(this.#now);
  }

  #ping(patience: number): void {
    if (this.#link !== "live") return;
    const by = this.#now + patience;
    if (this.#pongBy === undefined || by < this.#pongBy) this.#pongBy = by;
    this.#pingAt = this.#now + this.#pingEvery();
    this.#effects.push({ do: "send", frame: { kind: "ping", visible: this.#visible, micros: Math.round(this.#now * 1000) } });
  }

  #pingEvery(): number {
    return this.#visible ? PING_VISIBLE : PING_HIDDEN;
  }
}
