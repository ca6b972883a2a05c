// The only place that opens a chat's socket. It carries out what machine.ts decides, gathers what comes, and tells the
// page a few times a second at most.

import { sessionPath, type Known } from "../api/client";
import { Driver, surroundings } from "../link/driver";
import type { SessionState } from "../link/link";
import { randomHex } from "../link/random";
import { Machine, type ChatEvent, type Effect, type Outgoing, type Status } from "./machine";
import { parse, SUBPROTOCOL, type ServerMessage } from "./protocol";
import { EMPTY, reduce, type Chat } from "./state";

/** What comes within this time, in milliseconds, is drawn together: faster than this nobody reads. */
const GATHER = 40;

export interface ConnectionOptions {
  session: Known;
  state: SessionState;
  onLogin: () => void;
}

export class Connection {
  readonly #driver: Driver<ChatEvent, Effect, Status>;
  readonly #onLogin: () => void;
  readonly #outboxKey: string;
  readonly #listeners = new Set<() => void>();
  #chat = EMPTY;
  /** Lags behind while all that was is said again, so that nobody draws it piece by piece. */
  #shown = EMPTY;
  #gathered: ServerMessage[] = [];
  #flushing: ReturnType<typeof setTimeout> | undefined;
  #stored: readonly Outgoing[];

  constructor({ session, state, onLogin }: ConnectionOptions) {
    this.#onLogin = onLogin;
    this.#outboxKey = `chat-outbox ${session.uid}`;
    this.#stored = load(this.#outboxKey);
    const machine = new Machine({ ...surroundings(), session: state, outbox: this.#stored, place: () => this.#apply() });
    this.#driver = new Driver(machine, { path: `${sessionPath(session)}/chat`, protocol: SUBPROTOCOL, read }, (effect) => this.#perform(effect));
    this.#driver.subscribe(() => this.#changed());
  }

  get status(): Status {
    return this.#driver.status;
  }

  get chat(): Chat {
    return this.#shown;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  start(): void {
    this.#driver.start();
  }

  stop(): void {
    clearTimeout(this.#flushing);
    this.#driver.stop();
    this.#listeners.clear();
  }

  say(content: string, command: boolean): void {
    this.#driver.handle({ type: "say", id: randomHex(), content, command });
  }

  /** Takes back what the runtime did not take. */
  forget(id: string): void {
    this.#driver.handle({ type: "forget", id });
  }

  answer(questionId: string, text: string): void {
    this.#driver.handle({ type: "answer", questionId, text });
  }

  /** Has the agent work an item through the phases. */
  begin(workId: string): void {
    this.#driver.handle({ type: "begin", id: randomHex(), workId });
  }

  /** Whether it could begin is of no interest any more. */
  abandon(): void {
    this.#driver.handle({ type: "abandon" });
  }

  interrupt(): void {
    this.#driver.handle({ type: "interrupt" });
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

  #perform(effect: Effect): void {
    switch (effect.do) {
      case "connect":
        return this.#driver.connect();
      case "drop":
        return this.#driver.drop();
      case "send":
        return this.#driver.send(JSON.stringify(effect.message));
      case "show":
        this.#gathered.push(effect.message);
        this.#flushing ??= setTimeout(() => this.#flush(), GATHER);
        return;
      case "login":
        return this.#onLogin();
    }
  }

  #apply(): Chat {
    this.#chat = reduce(this.#chat, this.#gathered);
    this.#gathered = [];
    return this.#chat;
  }

  #flush(): void {
    this.#flushing = undefined;
    const chat = this.#apply();
    if (!chat.caughtUp || chat === this.#shown) return;
    this.#shown = chat;
    this.#tell();
  }

  #changed(): void {
    const { outbox } = this.status;
    if (outbox !== this.#stored) {
      this.#stored = outbox;
      store(this.#outboxKey, outbox);
    }
    this.#tell();
  }

  #tell(): void {
    this.#listeners.forEach((listener) => listener());
  }
}

function read(data: unknown): ChatEvent | undefined {
  const message = parse(data);
  return message === undefined ? undefined : { type: "message", message };
}

/** What was said and had not arrived when the page was left. */
function load(key: string): readonly Outgoing[] {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "[]") as Outgoing[];
  } catch {
    return [];
  }
}

function store(key: string, outbox: readonly Outgoing[]): void {
  if (outbox.length === 0) sessionStorage.removeItem(key);
  else sessionStorage.setItem(key, JSON.stringify(outbox));
}
