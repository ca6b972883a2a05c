// One socket to a session that is lost and found again, as a state machine without I/O: events and the time go in,
// effects come out (driver.ts carries them out). When to connect, how to notice a dead socket and what to tell the user
// is decided here; what travels over the socket is the business of whoever has the link.

import { verdict, type LinkError } from "./close-codes";
import { Retry } from "./retry";

const CONNECT_DEADLINE = 10_000;
const PING_VISIBLE = 15_000;
const PING_HIDDEN = 60_000;
/** The first ping follows WELCOME closely: it says how far away the session is. */
const PING_FIRST = 500;
const PONG_DEADLINE = 5_000;
/** After an event that hints at a dead socket there is less patience. */
const PROBE_DEADLINE = 1_500;
const NOT_READY_DELAY = 1_000;
/** A gateway that has just started may not have seen a new session yet. */
const NOT_FOUND_TRIES = 3;

export type SessionState = "ready" | "waiting" | "stopped";

export type LinkEvent =
  | { type: "start" }
  | { type: "opened" }
  | { type: "closed"; code: number; reason: string }
  | { type: "garbled" }
  | { type: "tick" }
  | { type: "visible"; visible: boolean }
  | { type: "network"; online: boolean }
  | { type: "nudge" }
  | { type: "session"; state: SessionState }
  | { type: "retry" }
  | { type: "loggedIn" };

export type LinkEffect = { do: "connect" } | { do: "drop" } | { do: "login" };

/** `held`: the session has nothing to connect to. `halted`: only the user can go on from here. */
export type LinkName = "idle" | "held" | "waiting" | "connecting" | "greeting" | "live" | "login" | "halted";

/** Open: only rare probes. Half open: one of them is on its way. */
export type Breaker = "closed" | "open" | "halfOpen";

/** Why a connection was lost, and how long there was none. */
export interface Loss {
  cause: string;
  attempts: number;
  milliseconds: number;
}

export interface LinkStatus {
  link: LinkName;
  /** Whether a connection has ever stood on this page. */
  established: boolean;
  attempt: number;
  retryAt: number | undefined;
  online: boolean;
  /** Why there is none now. */
  error: LinkError | undefined;
  breaker: Breaker;
  /** The last loss that was mended. */
  loss: Loss | undefined;
}

/** The first status of every page. */
export const BEFORE: LinkStatus = { link: "idle", established: false, attempt: 0, retryAt: undefined, online: true, error: undefined, breaker: "closed", loss: undefined };

/** What a link asks of whoever speaks over it. */
export interface Speaker {
  /** The socket stands: say who we are. */
  greet: (loss: Loss | undefined, visible: boolean) => void;
  ping: (visible: boolean, now: number) => void;
  /** The socket is gone, or there is to be none. */
  lost: () => void;
  /** What a person without the right is told. */
  forbidden: string;
}

export interface LinkOptions {
  visible: boolean;
  online: boolean;
  session: SessionState;
  random: () => number;
}

export class Link {
  #link: LinkName = "idle";
  #session: SessionState;
  #visible: boolean;
  #online: boolean;
  readonly #retry: Retry;

  #established = false;
  #attempt = 0;
  #notFound = 0;
  #liveSince = 0;
  #lostAt: number | undefined;
  #cause: string | undefined;
  #error: LinkError | undefined;
  #mending: Loss | undefined;
  #loss: Loss | undefined;

  #retryAt: number | undefined;
  #connectBy: number | undefined;
  #pingAt: number | undefined;
  #pongBy: number | undefined;

  #now = 0;

  constructor(
    options: LinkOptions,
    private readonly speaker: Speaker,
    private readonly perform: (effect: LinkEffect) => void,
  ) {
    this.#visible = options.visible;
    this.#online = options.online;
    this.#session = options.session;
    this.#retry = new Retry(options.random);
  }

  get live(): boolean {
    return this.#link === "live";
  }

  /** When the next `tick` is due. */
  deadlines(): (number | undefined)[] {
    return [this.#retryAt, this.#connectBy, this.#pingAt, this.#pongBy];
  }

  status(): LinkStatus {
    return {
      link: this.#link,
      established: this.#established,
      attempt: this.#attempt,
      retryAt: this.#retryAt,
      online: this.#online,
      error: this.#error,
      breaker: this.#breaker(),
      loss: this.#loss,
    };
  }

  handle(event: LinkEvent, now: number): void {
    this.#now = now;
    switch (event.type) {
      case "start":
        return this.#session === "ready" ? this.#connect() : this.#hold();
      case "opened":
        return this.#greet();
      case "closed":
        return this.#closed(event.code, event.reason);
      case "garbled":
        this.perform({ do: "drop" });
        return this.#closed(4400, "");
      case "tick":
        return this.#tick();
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
    }
  }

  /** Something came: the socket lives, whatever it waits behind. */
  heard(): void {
    this.#pongBy = undefined;
  }

  /** The other side knows us. */
  welcomed(now: number): void {
    this.#link = "live";
    this.#established = true;
    this.#attempt = this.#notFound = 0;
    this.#liveSince = now;
    this.#loss = this.#mending ?? this.#loss;
    this.#lostAt = this.#cause = this.#connectBy = this.#mending = this.#error = undefined;
    this.#retry.welcomed();
    this.#pingAt = now + PING_FIRST;
  }

  /** What came shows that the two ends no longer agree: a new socket begins with a new agreement. */
  broken(cause: string, now: number): void {
    this.#now = now;
    this.#replaceSocket(cause);
  }

  // --- connecting -------------------------------------------------------------------------------------------------

  #connect(): void {
    this.#link = "connecting";
    this.#retryAt = undefined;
    this.#attempt += 1;
    this.#retry.tried(this.#now);
    this.#connectBy = this.#now + CONNECT_DEADLINE;
    this.perform({ do: "connect" });
  }

  #greet(): void {
    this.#link = "greeting";
    this.#mending = this.#lostAt === undefined ? undefined : { cause: this.#cause ?? "unknown", attempts: this.#attempt, milliseconds: Math.round(this.#now - this.#lostAt) };
    this.speaker.greet(this.#mending, this.#visible);
  }

  // --- losing -----------------------------------------------------------------------------------------------------

  #closed(code: number, reason: string): void {
    const wasLive = this.#link === "live";
    this.#stopTimers();
    if (this.#established) this.#lostAt ??= this.#now;
    this.#cause ??= `closed with ${code}`;
    const next = verdict(code, reason, this.speaker.forbidden);
    this.#error = next.error;
    switch (next.then) {
      case "halt":
        return this.#halt(code);
      case "login":
        this.#link = "login";
        this.perform({ do: "login" });
        return;
      case "wait":
        return this.#wait(this.#retry.afterHint(next.milliseconds ?? NOT_READY_DELAY));
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
    this.#retryAt = this.#retry.allowed(this.#now + (this.#online ? delay : this.#retry.probe()));
  }

  /** Nothing to connect to: the page says why, and the session's own state leads on. */
  #hold(): void {
    this.#stopTimers();
    this.#link = "held";
  }

  #halt(code: number): void {
    if (code === 4404 && (this.#notFound += 1) < NOT_FOUND_TRIES) return this.#wait(this.#retry.afterFailure(this.#now));
    this.#link = "halted";
  }

  #replaceSocket(cause: string): void {
    this.#cause = cause;
    this.perform({ do: "drop" });
    this.#closed(1006, "");
  }

  #stopTimers(): void {
    this.#retryAt = this.#connectBy = this.#pingAt = this.#pongBy = undefined;
    this.speaker.lost();
  }

  // --- events of the world ----------------------------------------------------------------------------------------

  #nudge(): void {
    if (this.#link === "live") this.#ping(PROBE_DEADLINE);
    else if (this.#link === "waiting") this.#connectSoon();
  }

  /** At once, unless the page has tried too often already. */
  #connectSoon(): void {
    const at = this.#retry.allowed(this.#now);
    if (at <= this.#now) return this.#connect();
    this.#link = "waiting";
    this.#retryAt = at;
  }

  #sessionIs(state: SessionState): void {
    if (this.#session === state) return;
    this.#session = state;
    if (state === "ready" && (this.#link === "held" || this.#link === "waiting")) this.#connectSoon();
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
  }

  #ping(patience: number): void {
    if (this.#link !== "live") return;
    const by = this.#now + patience;
    if (this.#pongBy === undefined || by < this.#pongBy) this.#pongBy = by;
    this.#pingAt = this.#now + this.#pingEvery();
    this.speaker.ping(this.#visible, this.#now);
  }

  #breaker(): Breaker {
    if (!this.#retry.breakerOpen) return "closed";
    return this.#link === "connecting" || this.#link === "greeting" ? "halfOpen" : "open";
  }

  #pingEvery(): number {
    return this.#visible ? PING_VISIBLE : PING_HIDDEN;
  }
}

/** The earliest of some moments, as far as there are any. */
export function earliest(moments: (number | undefined)[]): number | undefined {
  const due = moments.filter((at) => at !== undefined);
  return due.length === 0 ? undefined : Math.min(...due);
}
