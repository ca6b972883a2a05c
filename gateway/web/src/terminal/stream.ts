// One terminal over whatever socket there is: what the page has of its output, what it owes of its input, and its
// size. Offsets and the epoch make a resume exact; nothing here knows how a socket is made or lost.

import { InputQueue } from "./input-queue";
import { ErrorCode, type ClientFrame, type Hello, type ServerFrame, type Size, type TerminalInfo, type Welcome } from "./kterm";

const RESIZE_DEBOUNCE = 50;
const ACK_STEP = 32 * 1024;
const ACK_DELAY = 50;
/** Typed while there is no connection; beyond it keys are refused, and that is said. */
export const OFFLINE_CAP = 64 * 1024;
/** Pasted while connected. */
export const PASTE_CAP = 16 * 1024 * 1024;
const HISTORY = 1024 * 1024;
const OPEN_FRAME = 0x04;

export type StreamEffect =
  | { do: "send"; frame: ClientFrame }
  | { do: "write"; bytes: Uint8Array; end: number; generation: number }
  | { do: "reset" }
  | { do: "adopt"; size: Size }
  | { do: "notice"; text: string };

export interface Exit {
  code: number;
  signal: number;
}

export class TerminalStream {
  #live = false;
  #epoch: string | undefined;
  #connection = 0;
  #viewOnly = false;

  #terminal = 1;
  /** Names the shell behind the number: a number is used again when its shell has ended. */
  #key: string | undefined;
  /** Output written to the screen, and how much of it the screen has parsed. */
  #have: number | undefined;
  #parsed = 0;
  #ackSent = 0;
  /** Output below this is a replay: its queries have been answered. */
  #replayUntil = 0;
  /** Counts the streams the screen has seen, so that late news of an old one are not taken for the new one's. */
  #generation = 0;
  readonly #input = new InputQueue();
  #exit: Exit | undefined;
  #openKey: string | undefined;

  #size: Size;
  #sentSize: Size | undefined;
  #foreignSize = false;

  #ackAt: number | undefined;
  #resizeAt: number | undefined;

  constructor(
    size: Size,
    private readonly emit: (effect: StreamEffect) => void,
  ) {
    this.#size = size;
  }

  get keysWaiting(): number {
    return this.#live ? 0 : this.#input.keys;
  }

  get viewOnly(): boolean {
    return this.#viewOnly;
  }

  get exit(): Exit | undefined {
    return this.#exit;
  }

  get opening(): boolean {
    return this.#openKey !== undefined;
  }

  /** Whether the screen has parsed what was there before: only then does it tell which program has it. */
  get isShown(): boolean {
    return this.#live && this.#have !== undefined && this.#parsed >= this.#replayUntil;
  }

  deadlines(): (number | undefined)[] {
    return [this.#ackAt, this.#resizeAt];
  }

  /** What HELLO says of this terminal. */
  hello(): Pick<Hello, "terms" | "epoch"> {
    this.#sentSize = this.#size;
    const term = { id: this.#terminal, ...this.#size };
    return {
      terms: [this.#have === undefined ? term : { ...term, have_off: this.#have }],
      ...(this.#epoch !== undefined && { epoch: this.#epoch }),
    };
  }

  welcomed(welcome: Welcome): void {
    this.#live = true;
    this.#connection = welcome.conn_id;
    this.#viewOnly = welcome.role === "view";
    const restarted = this.#epoch !== undefined && this.#epoch !== welcome.epoch;
    this.#epoch = welcome.epoch;
    if (restarted) this.#forget();
    this.#resume(welcome.terms);
    this.#sendOpen();
  }

  lost(): void {
    this.#live = false;
    this.#ackAt = this.#resizeAt = undefined;
  }

  tick(now: number): void {
    if (this.#ackAt !== undefined && this.#ackAt <= now) this.#ack();
    if (this.#resizeAt !== undefined && this.#resizeAt <= now) this.#sendSize();
  }

  frame(frame: Exclude<ServerFrame, { kind: "welcome" | "pong" }>): void {
    if ("terminal" in frame && frame.terminal !== this.#terminal && frame.kind !== "error") return;
    switch (frame.kind) {
      case "output":
        return this.#output(frame.offset, frame.bytes);
      case "snapshot":
        return this.#snapshot(frame);
      case "inputAck":
        this.#input.ack(frame.offset);
        return this.#pump();
      case "resized":
        return this.#resizedElsewhere(frame, frame.owner);
      case "exit":
        this.#exit = { code: frame.code, signal: frame.signal };
        return this.#input.discardUnsent();
      case "terms":
        return this.#terms(frame.terms);
      case "error":
        return this.#error(frame.reference, frame.code, frame.text);
    }
  }

  parsed(end: number, generation: number, now: number): void {
    if (generation !== this.#generation || end < this.#parsed) return;
    this.#parsed = end;
    if (!this.#live) return;
    if (this.#parsed - this.#ackSent >= ACK_STEP) this.#ack();
    else this.#ackAt ??= now + ACK_DELAY;
  }

  typed(bytes: Uint8Array, auto: boolean, count: number): void {
    if (this.#viewOnly || this.#exit !== undefined) return;
    // The emulator's answers to old output were meant for a program that has had its answer.
    if (auto && (!this.#live || this.#parsed < this.#replayUntil)) return;
    if (this.#input.pending + bytes.length > (this.#live ? PASTE_CAP : OFFLINE_CAP)) {
      this.#notice(this.#live ? "That is too much to paste at once; upload it as a file." : "64 KiB are waiting already: what you type now is not kept.");
      return;
    }
    if (!auto && this.#foreignSize) this.#claimSize();
    this.#input.push(bytes, auto, count);
    this.#pump();
  }

  discard(): void {
    this.#input.discardUnsent();
  }

  resize(size: Size, now: number): void {
    this.#size = size;
    this.#foreignSize = false;
    if (this.#live) this.#resizeAt = now + RESIZE_DEBOUNCE;
  }

  /** Another shell; the same key never opens two, however often a lost reply makes it go out again. */
  openShell(key: string): void {
    this.#openKey = key;
    this.#sendOpen();
  }

  // --- resuming ---------------------------------------------------------------------------------------------------

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
    if (this.#have === undefined && current?.alive !== true && alive !== undefined) return this.#attach(alive);
    if (current === undefined) {
      this.#exit ??= { code: 0, signal: 0 };
      return;
    }
    if (this.#have !== undefined && current.key !== this.#key) return this.#attach(current);
    this.#key = current.key;
    const lost = this.#input.resume(current.in_off ?? 0);
    if (lost > 0) this.#notice(`${keys(lost)} could not be delivered and were discarded.`);
    this.#replayUntil = current.head;
    // Also tells the pod that replies of this emulator belong to what is on its screen.
    if (this.#have !== undefined) this.#ack();
    this.#pump();
  }

  /** From nothing: what the page had or owed belonged to another shell. */
  #attach(term: TerminalInfo): void {
    if (term.id !== this.#terminal) this.#send({ kind: "detach", terminal: this.#terminal });
    this.#terminal = term.id;
    this.#key = term.key;
    this.#have = undefined;
    this.#generation += 1;
    this.#exit = undefined;
    this.#input.restart(term.in_off ?? 0);
    this.#replayUntil = term.head;
    this.#sentSize = this.#size;
    this.#sendAttach();
  }

  #sendAttach(): void {
    this.#send({ kind: "attach", terminal: this.#terminal, have: this.#have, epoch: this.#epoch ?? "0", history: HISTORY, view: false, ...this.#size });
  }

  // --- output -----------------------------------------------------------------------------------------------------

  #snapshot({ offset, bytes, ...size }: { offset: number; bytes: Uint8Array } & Size): void {
    this.#generation += 1;
    this.#have = offset;
    this.#parsed = this.#ackSent = Math.max(0, offset - bytes.length);
    this.#replayUntil = Math.max(this.#replayUntil, offset);
    this.emit({ do: "reset" });
    this.#resizedElsewhere(size, undefined);
    this.#write(bytes, offset);
  }

  #output(offset: number, bytes: Uint8Array): void {
    const have = this.#have;
    const end = offset + bytes.length;
    // What comes before the snapshot that was asked for belongs to what was there before.
    if (have === undefined) return;
    // A gap cannot happen on one socket; asking again is cheaper than trusting that.
    if (offset > have) return this.#sendAttach();
    if (end <= have) return;
    this.#have = end;
    this.#write(bytes.subarray(have - offset), end);
  }

  #write(bytes: Uint8Array, end: number): void {
    this.emit({ do: "write", bytes, end, generation: this.#generation });
  }

  #ack(): void {
    this.#ackAt = undefined;
    this.#ackSent = this.#parsed;
    this.#send({ kind: "ack", terminal: this.#terminal, offset: this.#parsed });
  }

  /** A shell has been opened: by this page, or by another one in place of a shell that ended. */
  #terms(terms: TerminalInfo[]): void {
    const asked = this.#openKey;
    const opened = terms.find((term) => sameKey(term.key, asked)) ?? terms.find((term) => term.id === this.#terminal && term.key !== this.#key);
    if (opened === undefined) return;
    this.#openKey = undefined;
    this.#attach(opened);
  }

  #error(reference: number, code: number, text: string): void {
    if (reference === OPEN_FRAME) this.#openKey = undefined;
    if (code === ErrorCode.noSuchTerminal) this.#exit ??= { code: 0, signal: 0 };
    if (code === ErrorCode.readOnly) this.#viewOnly = true;
    if (code !== ErrorCode.noSuchTerminal && code !== ErrorCode.ended) this.#notice(text);
  }

  // --- input and size ---------------------------------------------------------------------------------------------

  #pump(): void {
    if (!this.#live) return;
    for (let next = this.#input.next(); next !== undefined; next = this.#input.next()) {
      this.#send({ kind: "input", terminal: this.#terminal, ...next });
    }
  }

  #sendSize(): void {
    this.#resizeAt = undefined;
    if (this.#viewOnly || (this.#sentSize?.cols === this.#size.cols && this.#sentSize.rows === this.#size.rows)) return;
    this.#sentSize = this.#size;
    this.#send({ kind: "resize", terminal: this.#terminal, ...this.#size });
  }

  /** Another window owns the size: show its grid until somebody types here. */
  #resizedElsewhere({ cols, rows }: Size, owner: number | undefined): void {
    if (owner === this.#connection || (cols === this.#size.cols && rows === this.#size.rows)) return;
    this.#foreignSize = true;
    this.#sentSize = undefined;
    this.emit({ do: "adopt", size: { cols, rows } });
  }

  #claimSize(): void {
    this.#foreignSize = false;
    this.emit({ do: "adopt", size: this.#size });
    if (this.#live) this.#sendSize();
  }

  #sendOpen(): void {
    if (!this.#live || this.#openKey === undefined) return;
    this.#send({ kind: "open", key: this.#openKey, request: { ...this.#size } });
  }

  #send(frame: ClientFrame): void {
    this.emit({ do: "send", frame });
  }

  #notice(text: string): void {
    this.emit({ do: "notice", text });
  }
}

function sameKey(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined && BigInt(`0x${one}`) === BigInt(`0x${other}`);
}

function keys(count: number): string {
  return count === 1 ? "1 key" : `${count} keys`;
}
