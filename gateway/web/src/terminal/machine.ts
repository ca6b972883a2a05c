// The connection as a state machine without I/O: events and the time go in, effects come out (connection.ts carries
// them out). Everything about resuming, retrying and honesty towards the user is decided here.

import { verdict } from "./close-codes";
import { InputQueue } from "./input-queue";
import { ErrorCode, type ClientFrame, type Hello, type ServerFrame, type Size, type TerminalInfo, type Welcome } from "./kterm";
import { Retry } from "./retry";

const CONNECT_DEADLINE = 10_000;
const PING_VISIBLE = 15_000;
const PING_HIDDEN = 60_000;
const PONG_DEADLINE = 5_000;
/** After an event that hints at a dead socket there is less patience. */
const PROBE_DEADLINE = 1_500;
const RESIZE_DEBOUNCE = 50;
const ACK_STEP = 32 * 1024;
const ACK_DELAY = 50;
const NOT_READY_DELAY = 1_000;
/** Typed while there is no connection; beyond it keys are refused, and that is said. */
export const OFFLINE_CAP = 64 * 1024;
/** Pasted while connected. */
export const PASTE_CAP = 16 * 1024 * 1024;
const HISTORY = 1024 * 1024;
const OPEN_FRAME = 0x04;

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

export type Effect =
  | { do: "connect" }
  | { do: "drop" }
  | { do: "send"; frame: ClientFrame }
  | { do: "write"; bytes: Uint8Array; end: number; generation: number }
  | { do: "reset" }
  | { do: "adopt"; size: Size }
  | { do: "exit" }
  | { do: "login" }
  | { do: "notice"; text: string };

export type Link = "idle" | "held" | "waiting" | "connecting" | "greeting" | "live" | "login" | "halted";

export interface Status {
  link: Link;
  /** Whether a connection has ever stood on this page. */
  established: boolean;
  attempt: number;
  retryAt: number | undefined;
  online: boolean;
  breakerOpen: boolean;
  keysWaiting: number;
  viewOnly: boolean;
  why: string | undefined;
  exit: { code: number; signal: number } | undefined;
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
  #size: Size;
  #sentSize: Size | undefined;
  #foreignSize = false;
  readonly #clientId: string;
  readonly #retry: Retry;

  #epoch: string | undefined;
  #connection = 0;
  #viewOnly = false;
  #terminal = 1;
  #have: number | undefined;
  #parsed = 0;
  #ackSent = 0;
  #replayUntil = 0;
  #generation = 0;
  #input = new InputQueue();
  #exit: { code: number; signal: number } | undefined;
  #openKey: string | undefined;

  #established = false;
  #attempt = 0;
  #liveSince = 0;
  #lostAt: number | undefined;
  #cause: string | undefined;
  #why: string | undefined;

  #retryAt: number | undefined;
  #connectBy: number | undefined;
  #pingAt: number | undefined;
  #pongBy: number | undefined;
  #ackAt: number | undefined;
  #resizeAt: number | undefined;

  #now = 0;
  #effects: Effect[] = [];

  constructor(options: Options) {
    this.#clientId = options.clientId;
    this.#size = options.size;
    this.#visible = options.visible;
    this.#online = options.online;
    this.#session = options.session;
    this.#retry = new Retry(options.random);
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
    const all = [this.#retryAt, this.#connectBy, this.#pingAt, this.#pongBy, this.#ackAt, this.#resizeAt];
    const due = all.filter((at) => at !== undefined);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  status(): Status {
    return {
      link: this.#link,
      established: this.#established,
      attempt: this.#attempt,
      retryAt: this.#retryAt,
      online: this.#online,
      breakerOpen: this.#retry.breakerOpen,
      keysWaiting: this.#link === "live" ? 0 : this.#input.keys,
      viewOnly: this.#viewOnly,
      why: this.#why,
      exit: this.#exit,
      opening: this.#openKey !== undefined,
    };
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
        return this.#halt(4400, "");
      case "tick":
        return this.#tick();
      case "input":
        return this.#typed(event.bytes, event.auto, event.keys);
      case "parsed":
        return this.#wasParsed(event.end, event.generation);
      case "resize":
        return this.#resized(event.size);
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
      case "loggedIn":
        if (event.type === "retry" || this.#link === "login") this.#tryNow();
        return;
      case "discard":
        return this.#input.discardUnsent();
      case "openShell":
        this.#openKey = event.key;
        return this.#sendOpen();
    }
  }

  // --- connecting -------------------------------------------------------------------------------------------------

  #connect(): void {
    this.#link = "connecting";
    this.#retryAt = undefined;
    this.#why = undefined;
    this.#attempt += 1;
    this.#connectBy = this.#now + CONNECT_DEADLINE;
    this.#effects.push({ do: "connect" });
  }

  #greet(): void {
    this.#link = "greeting";
    const term = { id: this.#terminal, ...this.#size };
    const hello: Hello = {
      client_id: this.#clientId,
      visible: this.#visible,
      terms: [this.#have === undefined ? term : { ...term, have_off: this.#have }],
      caps: {},
    };
    if (this.#epoch !== undefined) hello.epoch = this.#epoch;
    if (this.#lostAt !== undefined) {
      hello.cause = this.#cause ?? "unknown";
      hello.attempts = this.#attempt;
      hello.down_ms = Math.round(this.#now - this.#lostAt);
    }
    this.#sentSize = this.#size;
    this.#send({ kind: "hello", hello });
  }

  #welcomed(welcome: Welcome): void {
    this.#link = "live";
    this.#established = true;
    this.#attempt = 0;
    this.#liveSince = this.#now;
    this.#lostAt = this.#cause = this.#connectBy = undefined;
    this.#retry.welcomed();
    this.#connection = welcome.conn_id;
    this.#viewOnly = welcome.role === "view";
    this.#pingAt = this.#now + this.#pingEvery();
    const restarted = this.#epoch !== undefined && this.#epoch !== welcome.epoch;
    this.#epoch = welcome.epoch;
    if (restarted) this.#forget();
    this.#resume(welcome.terms);
    this.#sendOpen();
  }

  /** The runtime is another process: what was counted against the old one is void. */
  #forget(): void {
    this.#have = undefined;
    this.#generation += 1;
    this.#exit = undefined;
    const lost = this.#input.restart(0);
    this.#notice(lost > 0 ? `The session was restarted: ${keys(lost)} typed meanwhile could not be delivered and were discarded.` : "The session was restarted; this is a new shell.");
  }

  #resume(terms: TerminalInfo[]): void {
    const current = terms.find((term) => term.id === this.#terminal);
    const alive = terms.filter((term) => term.alive).at(-1);
    if (this.#have === undefined && current?.alive !== true && alive !== undefined) {
      if (current !== undefined) this.#send({ kind: "detach", terminal: current.id });
      return this.#attach(alive);
    }
    if (current === undefined) {
      this.#exit ??= { code: 0, signal: 0 };
      return;
    }
    const lost = this.#input.resume(current.in_off ?? 0);
    if (lost > 0) this.#notice(`${keys(lost)} could not be delivered and were discarded.`);
    this.#replayUntil = current.head;
    if (this.#have !== undefined) this.#ack();
    this.#pump();
  }

  #attach(term: TerminalInfo): void {
    this.#terminal = term.id;
    this.#have = undefined;
    this.#generation += 1;
    this.#exit = undefined;
    this.#input.restart(term.in_off ?? 0);
    this.#replayUntil = term.head;
    this.#sentSize = this.#size;
    this.#send({ kind: "attach", terminal: term.id, have: undefined, epoch: this.#epoch ?? "0", history: HISTORY, view: false, ...this.#size });
  }

  // --- losing -----------------------------------------------------------------------------------------------------

  #closed(code: number, reason: string): void {
    const wasLive = this.#link === "live";
    const lived = this.#now - this.#liveSince;
    this.#detachTimers();
    if (wasLive || this.#lostAt === undefined) this.#lostAt = this.#established ? this.#now : undefined;
    this.#cause ??= `closed with ${code}`;
    const next = verdict(code, reason);
    switch (next.then) {
      case "halt":
        return this.#halt(code, reason);
      case "login":
        this.#link = "login";
        this.#effects.push({ do: "login" });
        return;
      case "wait":
        return this.#wait(next.milliseconds ?? NOT_READY_DELAY);
      case "retry":
        return this.#wait(wasLive ? this.#retry.afterLoss(lived) : this.#retry.afterFailure(this.#now));
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
    this.#detachTimers();
    this.#link = "held";
  }

  #halt(code: number, reason: string): void {
    const next = verdict(code, reason);
    this.#detachTimers();
    this.#link = "halted";
    this.#why = next.then === "halt" ? next.why : reason;
    this.#effects.push({ do: "drop" });
  }

  #replaceSocket(cause: string): void {
    this.#cause = cause;
    this.#effects.push({ do: "drop" });
    this.#closed(1006, "");
  }

  #detachTimers(): void {
    this.#retryAt = this.#connectBy = this.#pingAt = this.#pongBy = this.#ackAt = this.#resizeAt = undefined;
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

  #tryNow(): void {
    if (this.#link === "waiting" || this.#link === "halted" || this.#link === "login" || this.#link === "held") this.#connect();
  }

  #tick(): void {
    const due = (at: number | undefined): boolean => at !== undefined && at <= this.#now;
    if (due(this.#connectBy)) return this.#replaceSocket("no answer");
    if (due(this.#pongBy)) return this.#replaceSocket("ping timeout");
    if (due(this.#retryAt)) {
      // A breaker's probe is for somebody who looks.
      if (this.#retry.breakerOpen && !this.#visible) this.#retryAt = this.#now + this.#retry.probe();
      else return this.#connect();
    }
    if (due(this.#pingAt)) this.#ping(PONG_DEADLINE);
    if (due(this.#ackAt)) this.#ack();
    if (due(this.#resizeAt)) this.#sendSize();
  }

  #ping(patience: number): void {
    if (this.#link !== "live") return;
    const by = this.#now + patience;
    if (this.#pongBy === undefined || by < this.#pongBy) this.#pongBy = by;
    this.#pingAt = this.#now + this.#pingEvery();
    this.#send({ kind: "ping", visible: this.#visible, micros: Math.round(this.#now * 1000) });
  }

  #pingEvery(): number {
    return this.#visible ? PING_VISIBLE : PING_HIDDEN;
  }

  // --- frames -----------------------------------------------------------------------------------------------------

  #frame(frame: ServerFrame): void {
    // Any frame proves that the socket lives, whatever it waits behind.
    this.#pongBy = undefined;
    if ("terminal" in frame && frame.terminal !== this.#terminal && frame.kind !== "error") return;
    switch (frame.kind) {
      case "welcome":
        return this.#welcomed(frame.welcome);
      case "output":
        return this.#output(frame.offset, frame.bytes);
      case "snapshot":
        this.#generation += 1;
        this.#have = this.#parsed = this.#ackSent = frame.offset;
        this.#effects.push({ do: "reset" });
        return this.#write(frame.bytes, frame.offset);
      case "inputAck":
        this.#input.ack(frame.offset);
        return this.#pump();
      case "resized":
        return this.#resizedByServer(frame, frame.owner);
      case "exit":
        this.#exit = { code: frame.code, signal: frame.signal };
        this.#input.discardUnsent();
        this.#effects.push({ do: "exit" });
        return;
      case "terms":
        return this.#terms(frame.terms);
      case "error":
        return this.#error(frame.reference, frame.code, frame.text);
      case "pong":
        return;
    }
  }

  #output(offset: number, bytes: Uint8Array): void {
    const have = (this.#have ??= offset);
    const end = offset + bytes.length;
    if (offset > have) {
      // A gap cannot happen on one socket; asking again is cheaper than trusting that.
      this.#send({ kind: "attach", terminal: this.#terminal, have, epoch: this.#epoch ?? "0", history: HISTORY, view: false, ...this.#size });
      return;
    }
    if (end <= have) return;
    this.#have = end;
    this.#write(bytes.subarray(have - offset), end);
  }

  #write(bytes: Uint8Array, end: number): void {
    this.#effects.push({ do: "write", bytes, end, generation: this.#generation });
  }

  #wasParsed(end: number, generation: number): void {
    if (generation !== this.#generation || end < this.#parsed) return;
    this.#parsed = end;
    if (this.#link !== "live") return;
    if (this.#parsed - this.#ackSent >= ACK_STEP) this.#ack();
    else this.#ackAt ??= this.#now + ACK_DELAY;
  }

  #ack(): void {
    this.#ackAt = undefined;
    this.#ackSent = this.#parsed;
    this.#send({ kind: "ack", terminal: this.#terminal, offset: this.#parsed });
  }

  #terms(terms: TerminalInfo[]): void {
    const opened = this.#openKey === undefined ? undefined : terms.find((term) => sameKey(term.key, this.#openKey));
    if (opened === undefined) return;
    this.#openKey = undefined;
    const ended = this.#terminal;
    this.#attach(opened);
    this.#send({ kind: "close", terminal: ended, signal: 0 });
  }

  #error(reference: number, code: number, text: string): void {
    if (reference === OPEN_FRAME) this.#openKey = undefined;
    if (code === ErrorCode.noSuchTerminal) this.#exit ??= { code: 0, signal: 0 };
    if (code === ErrorCode.readOnly) this.#viewOnly = true;
    if (code !== ErrorCode.noSuchTerminal && code !== ErrorCode.ended) this.#notice(text);
  }

  // --- what the user does -----------------------------------------------------------------------------------------

  #typed(bytes: Uint8Array, auto: boolean, count: number): void {
    const live = this.#link === "live";
    if (this.#viewOnly || this.#exit !== undefined) return;
    // The emulator's answers to old output were meant for a program that has had its answer.
    if (auto && (!live || this.#parsed < this.#replayUntil)) return;
    if (this.#input.pending + bytes.length > (live ? PASTE_CAP : OFFLINE_CAP)) {
      this.#notice(live ? "That is too much to paste at once; upload it as a file." : "64 KiB are waiting already: what you type now is not kept.");
      return;
    }
    if (!auto && this.#foreignSize) this.#claimSize();
    this.#input.push(bytes, auto, count);
    this.#pump();
  }

  #pump(): void {
    if (this.#link !== "live") return;
    for (let next = this.#input.next(); next !== undefined; next = this.#input.next()) {
      this.#send({ kind: "input", terminal: this.#terminal, ...next });
    }
  }

  #resized(size: Size): void {
    this.#size = size;
    this.#foreignSize = false;
    if (this.#link === "live") this.#resizeAt = this.#now + RESIZE_DEBOUNCE;
  }

  #sendSize(): void {
    this.#resizeAt = undefined;
    if (this.#viewOnly || (this.#sentSize?.cols === this.#size.cols && this.#sentSize.rows === this.#size.rows)) return;
    this.#sentSize = this.#size;
    this.#send({ kind: "resize", terminal: this.#terminal, ...this.#size });
  }

  /** Another window owns the size: show its grid until somebody types here. */
  #resizedByServer({ cols, rows }: Size, owner: number): void {
    if (owner === this.#connection || (cols === this.#size.cols && rows === this.#size.rows)) return;
    this.#foreignSize = true;
    this.#sentSize = undefined;
    this.#effects.push({ do: "adopt", size: { cols, rows } });
  }

  #claimSize(): void {
    this.#foreignSize = false;
    this.#effects.push({ do: "adopt", size: this.#size });
    if (this.#link === "live") this.#sendSize();
  }

  #sendOpen(): void {
    if (this.#link !== "live" || this.#openKey === undefined) return;
    this.#send({ kind: "open", key: this.#openKey, request: { ...this.#size } });
  }

  #send(frame: ClientFrame): void {
    this.#effects.push({ do: "send", frame });
  }

  #notice(text: string): void {
    this.#effects.push({ do: "notice", text });
  }
}

function sameKey(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined && BigInt(`0x${one}`) === BigInt(`0x${other}`);
}

function keys(count: number): string {
  return count === 1 ? "1 key" : `${count} keys`;
}
