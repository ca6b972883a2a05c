// A chat's connection as a state machine without I/O: the link says when there is a socket; here is what is said over
// it. What a person says stays in the outbox until the runtime has it, and is said again after a reconnect: the runtime
// takes an id once. Events and the time go in, effects come out (connection.ts carries them out).

import { earliest, Link, type LinkEffect, type LinkEvent, type LinkOptions, type LinkStatus } from "../link/link";
import type { ClientMessage, ServerMessage } from "./protocol";

const FORBIDDEN = "You may not see this chat (any longer). It needs the right to get sessions/chat in this namespace.";

/** What a person has said and the runtime does not have yet. */
export interface Outgoing {
  id: string;
  content: string;
  command: boolean;
  /** Why the runtime did not take it. */
  refused: string | undefined;
}

/** An answer on its way. */
export interface Answering {
  questionId: string;
  text: string;
  refused: string | undefined;
}

/** A workflow that is to begin. */
export interface Beginning {
  id: string;
  workId: string;
  refused: string | undefined;
}

export type ChatEvent =
  | { type: "message"; message: ServerMessage | "unknown" }
  | { type: "say"; id: string; content: string; command: boolean }
  | { type: "forget"; id: string }
  | { type: "answer"; questionId: string; text: string }
  | { type: "begin"; id: string; workId: string }
  | { type: "abandon" }
  | { type: "interrupt" };

export type Event = LinkEvent | ChatEvent;

export type Effect = LinkEffect | { do: "send"; message: ClientMessage } | { do: "show"; message: ServerMessage };

export interface Status extends LinkStatus {
  outbox: readonly Outgoing[];
  answers: readonly Answering[];
  beginning: Beginning | undefined;
}

export interface Options extends LinkOptions {
  outbox: readonly Outgoing[];
  /** How far the page is in which journal. */
  place: () => { journalId: string | undefined; through: number };
}

export class Machine {
  readonly #link: Link;

  #outbox: readonly Outgoing[];
  #answers: readonly Answering[] = [];
  #beginning: Beginning | undefined;
  /** All has come that there was, so what is still in the outbox is not there. */
  #caughtUp = false;

  #now = 0;
  #effects: Effect[] = [];

  constructor({ outbox, place, ...options }: Options) {
    this.#outbox = outbox;
    this.#link = new Link(
      options,
      {
        greet: (_, visible) => {
          const { journalId, through } = place();
          this.#send({ type: "hello", ...(journalId === undefined ? {} : { journalId, after: through }), visible });
        },
        ping: (visible) => this.#send({ type: "ping", visible }),
        lost: () => {
          this.#caughtUp = false;
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
    return earliest(this.#link.deadlines());
  }

  status(): Status {
    return { ...this.#link.status(), outbox: this.#outbox, answers: this.#answers, beginning: this.#beginning };
  }

  #dispatch(event: Event): void {
    switch (event.type) {
      case "message":
        return this.#message(event.message);
      case "say":
        return this.#say({ id: event.id, content: event.content, command: event.command, refused: undefined });
      case "forget":
        this.#outbox = this.#outbox.filter(({ id }) => id !== event.id);
        return;
      case "answer":
        return this.#answer({ questionId: event.questionId, text: event.text, refused: undefined });
      case "begin":
        this.#beginning = { id: event.id, workId: event.workId, refused: undefined };
        if (this.#caughtUp) this.#sendBeginning();
        return;
      case "abandon":
        this.#beginning = undefined;
        return;
      case "interrupt":
        if (this.#link.live) this.#send({ type: "interrupt" });
        return;
      default:
        return this.#link.handle(event, this.#now);
    }
  }

  #message(message: ServerMessage | "unknown"): void {
    this.#link.heard();
    if (message === "unknown") return;
    if (message.type === "welcome") this.#link.welcomed(this.#now);
    if (this.#isAboutOurs(message)) return;
    this.#effects.push({ do: "show", message });
    if (message.type === "caught_up") this.#catchUp();
  }

  /** Takes out of the outbox what has arrived; true when nobody else is told about it. */
  #isAboutOurs(message: ServerMessage): boolean {
    if (message.type === "user_message") this.#outbox = this.#without(message.id);
    // Whoever has begun it: there is one at a time.
    if (message.type === "workflow_started" && this.#caughtUp) this.#beginning = undefined;
    if (message.type === "question" && message.state === "answered") this.#answers = this.#answers.filter(({ questionId }) => questionId !== message.questionId);
    if (message.type !== "error" || message.ref === undefined) return false;
    return this.#refused(message.ref, message.code, message.message);
  }

  #refused(ref: string, code: string, why: string): boolean {
    if (this.#beginning?.id === ref) {
      this.#beginning = code === "duplicate" ? undefined : { ...this.#beginning, refused: why };
      return true;
    }
    if (this.#outbox.some(({ id }) => id === ref)) {
      // The same id again: it has it already.
      this.#outbox = code === "duplicate" ? this.#without(ref) : this.#outbox.map((each) => (each.id === ref ? { ...each, refused: why } : each));
      return true;
    }
    if (!this.#answers.some(({ questionId }) => questionId === ref)) return code === "duplicate";
    this.#answers = this.#answers.map((each) => (each.questionId === ref ? { ...each, refused: why } : each));
    return true;
  }

  #without(id: string): readonly Outgoing[] {
    return this.#outbox.some((each) => each.id === id) ? this.#outbox.filter((each) => each.id !== id) : this.#outbox;
  }

  #catchUp(): void {
    this.#caughtUp = true;
    this.#outbox.filter(({ refused }) => refused === undefined).forEach((each) => this.#speak(each));
    this.#answers.filter(({ refused }) => refused === undefined).forEach(({ questionId, text }) => this.#send({ type: "answer", questionId, text }));
    this.#sendBeginning();
  }

  #say(outgoing: Outgoing): void {
    this.#outbox = [...this.#outbox, outgoing];
    if (this.#caughtUp) this.#speak(outgoing);
  }

  #speak({ id, content, command }: Outgoing): void {
    this.#send({ type: "user_message", id, content, ...(command ? { command } : {}) });
  }

  #answer(answer: Answering): void {
    this.#answers = [...this.#answers.filter(({ questionId }) => questionId !== answer.questionId), answer];
    if (this.#caughtUp) this.#send({ type: "answer", questionId: answer.questionId, text: answer.text });
  }

  #sendBeginning(): void {
    if (this.#beginning === undefined || this.#beginning.refused !== undefined) return;
    const { id, workId } = this.#beginning;
    this.#send({ type: "start_workflow", id, workId });
  }

  #send(message: ClientMessage): void {
    this.#effects.push({ do: "send", message });
  }
}
