// One terminal over whatever socket there is: what the page has of its output, what it owes of its input, and its
// size. Offsets and the epoch make a resume exact; nothing here knows how a socket is made or lost, or of other terminals.

import { Grid, type GridEffect } from "./grid";
import { InputQueue } from "./input-queue";
import type { AttachRole, ClientFrame, ServerFrame, Size, TerminalInfo } from "./kterm";

const ACK_STEP = 32 * 1024;
const ACK_DELAY = 50;
/** Typed while there is no connection; beyond it keys are refused, and that is said. */
export const OFFLINE_CAP = 64 * 1024;
/** Pasted while connected. */
const PASTE_CAP = 16 * 1024 * 1024;
/** What a first look at a terminal shows of before, in bytes: more would keep a slow line from the live screen for seconds. */
const HISTORY = 128 * 1024;

export type StreamEffect =
  | { do: "send"; frame: ClientFrame }
  | { do: "write"; bytes: Uint8Array; end: number; generation: number }
  | { do: "reset" }
  /** What is on the screen belongs to a process that is gone: it stays readable above what comes. */
  | { do: "part" }
  | { do: "adopt"; size: Size }
  | { do: "notice"; text: string };

export interface Exit {
  code: number;
  signal: number;
}

/** What all terminals of a connection have in common. */
export interface Peer {
  live: boolean;
  epoch: string | undefined;
  connection: number;
  viewOnly: boolean;
}

/** How the screen got what it shows after the last attach. */
export type Resumed = "exact" | "snapshot";

export type StreamFrame = Extract<ServerFrame, { kind: "output" | "snapshot" | "inputAck" | "resized" | "exit" }>;

export class TerminalStream {
  #terminal: number;
  /** Names the shell behind the number: a number may be used again when its shell has ended. */
  #key: string | undefined;
  /** Whether the runtime sends its output to us. */
  #attached = false;
  /** Out of sight; it is let go as soon as what was typed has arrived. */
  #leaving = false;
  /** Our user wants to type alone, and nobody has taken that over since. */
  #alone = false;
  /** Somebody else types alone. */
  #takenOver = false;

  /** Output written to the screen, and how much of it the screen has parsed. */
  #have: number | undefined;
  #parsed = 0;
  #ackSent = 0;
  /** Output below this is a replay: its queries have been answered. */
  #replayUntil = 0;
  /** Counts the streams the screen has seen, so that late news of an old one are not taken for the new one's. */
  #generation = 0;
  #resumed: Resumed | undefined;
  readonly #input = new InputQueue();
  #exit: Exit | undefined;

  readonly #grid: Grid;

  #ackAt: number | undefined;

  constructor(
    terminal: number,
    size: Size,
    private readonly peer: Peer,
    private readonly emit: (effect: StreamEffect) => void,
  ) {
    this.#terminal = terminal;
    const standing = () => ({ heard: peer.live && this.#attached, viewOnly: this.viewOnly, connection: peer.connection });
    this.#grid = new Grid(size, standing, (effect) => this.#sized(effect));
  }

  get terminal(): number {
    return this.#terminal;
  }
  get key(): string | undefined {
    return this.#key;
  }
  get keys(): number {
    return this.#input.keys;
  }
  get bytes(): number {
    return this.#input.pending;
  }
  get viewOnly(): boolean {
    return this.peer.viewOnly || this.#takenOver;
  }
  get takenOver(): boolean {
    return this.#takenOver;
  }
  get exit(): Exit | undefined {
    return this.#exit;
  }
  get resumed(): Resumed | undefined {
    return this.#resumed;
  }
  /** Whether anything of it was ever on the screen. */
  get isKnown(): boolean {
    return this.#have !== undefined;
  }
  get have(): number {
    return this.#have ?? 0;
  }

  /** Whether the screen has parsed what was there before: only then does it tell which program has it. */
  get isShown(): boolean {
    return this.peer.live && this.#have !== undefined && this.#parsed >= this.#replayUntil;
  }

  deadlines(): (number | undefined)[] {
    return [this.#ackAt, this.#grid.dueAt];
  }

  // --- coming and going -------------------------------------------------------------------------------------------

  /** What HELLO says of it; the runtime attaches it then. */
  hello(): { id: number; have_off?: number } & Size {
    this.#attached = true;
    this.#leaving = false;
    const term = { id: this.#terminal, ...this.#grid.greet(this.isKnown) };
    return this.#have === undefined ? term : { ...term, have_off: this.#have };
  }

  /** It is looked at: its output is wanted from where the screen is. */
  show(size: Size): void {
    this.#grid.place(size);
    this.#leaving = false;
    if (!this.peer.live || this.#attached) return;
    this.#attach();
    this.#pump();
  }

  hide(): void {
    if (!this.#attached) return;
    this.#leaving = this.peer.live && this.#input.pending > 0;
    if (!this.#leaving) this.#detach();
  }

  /** The screen is gone with what it showed: nothing more may come for it, whatever of the input is on its way. */
  forget(): void {
    this.#detach();
    this.#have = undefined;
    this.#generation += 1;
  }

  /** The socket is gone. */
  lost(): void {
    this.#attached = this.#leaving = false;
    this.#ackAt = undefined;
    this.#grid.rest();
  }

  /** The same shell at a new connection, which HELLO has attached where it was looked at. */
  resume(info: TerminalInfo): void {
    this.#key = info.key;
    // The runtime says it again, behind WELCOME or an ATTACH, where it still holds.
    this.#takenOver = false;
    // Out of sight nobody has told us who took it meanwhile: to insist would take it from them.
    if (!this.#attached) this.#alone = false;
    const taken = info.in_off ?? 0;
    const lost = this.#input.resume(taken, info.in_written ?? taken);
    if (lost > 0) this.#notice(`${keys(lost)} could not be delivered and were discarded.`);
    this.#replayUntil = info.head;
    if (this.#attached) {
      this.#resumed = this.#have === undefined ? undefined : "exact";
      // Also tells the pod that replies of this emulator belong to what is on its screen.
      if (this.#have !== undefined) this.#ack();
      this.#grid.welcomed(info, this.isKnown);
    }
    this.#pump();
  }

  /** Another shell: what the page had or owed belonged to the one before. */
  become(info: TerminalInfo, isLookedAt: boolean): void {
    if (info.id !== this.#terminal) this.#detach();
    this.#attached = this.#leaving = false;
    this.#terminal = info.id;
    this.#have = this.#exit = this.#resumed = undefined;
    this.#key = info.key;
    this.#generation += 1;
    this.#grid.forget();
    this.#takenOver = this.#alone = false;
    this.#input.restart(info.in_off ?? 0);
    this.#replayUntil = info.head;
    if (isLookedAt) this.show(this.#grid.own);
  }

  /** The runtime is another process: what was counted against the old one is void. Returns the keys that are lost. */
  part(): number {
    if (this.#have !== undefined) this.emit({ do: "part" });
    this.#have = this.#exit = undefined;
    this.#takenOver = this.#alone = false;
    this.#generation += 1;
    return this.#input.restart(0);
  }

  /** There is no such terminal any more. */
  end(exit: Exit): void {
    this.#exit ??= exit;
    this.#attached = this.#leaving = false;
    this.#input.discardUnsent();
  }

  /** Somebody types alone now. */
  takeOver(): void {
    this.#takenOver = true;
    this.#alone = false;
  }

  /** Nobody else types any more. */
  typeAlone(): void {
    this.#takenOver = false;
    this.#alone = true;
    this.#attach();
  }

  /** Types again and keeps nobody out for good: only who has sole control can end it, so it is taken first. */
  takeBack(): void {
    this.typeAlone();
    this.#alone = false;
    this.#attach();
  }

  tick(now: number): void {
    if (this.#ackAt !== undefined && this.#ackAt <= now) this.#ack();
    if (this.#grid.dueAt !== undefined && this.#grid.dueAt <= now) this.#grid.tell();
  }

  frame(frame: StreamFrame): void {
    switch (frame.kind) {
      case "output":
        return this.#output(frame.offset, frame.bytes);
      case "snapshot":
        return this.#snapshot(frame);
      case "inputAck":
        this.#input.ack(frame.offset);
        this.#pump();
        if (this.#leaving && this.#input.pending === 0) this.#detach();
        return;
      case "resized":
        return this.#grid.become(frame, frame.owner);
      case "exit":
        this.#exit = { code: frame.code, signal: frame.signal };
        return this.#input.discardUnsent();
    }
  }

  parsed(end: number, generation: number, now: number): void {
    if (generation !== this.#generation || end < this.#parsed) return;
    this.#parsed = end;
    if (!this.peer.live || !this.#attached) return;
    if (this.#parsed - this.#ackSent >= ACK_STEP) this.#ack();
    else this.#ackAt ??= now + ACK_DELAY;
  }

  // --- input and size ---------------------------------------------------------------------------------------------

  typed(bytes: Uint8Array, auto: boolean, count: number): void {
    if (this.viewOnly || this.#exit !== undefined) return;
    // The emulator's answers to old output were meant for a program that has had its answer.
    if (auto && (!this.peer.live || !this.#attached || this.#parsed < this.#replayUntil)) return;
    if (this.#input.pending + bytes.length > (this.peer.live ? PASTE_CAP : OFFLINE_CAP)) {
      this.#notice(this.peer.live ? "That is too much to paste at once; upload it as a file." : "64 KiB are waiting already: what you type now is not kept.");
      return;
    }
    if (!auto) this.#grid.claim();
    // An answer counts by what was parsed before it.
    else if (this.#ackSent < this.#parsed) this.#ack();
    this.#input.push(bytes, auto, count);
    this.#pump();
  }

  discard(): void {
    this.#input.discardUnsent();
  }

  resize(size: Size, now: number): void {
    this.#grid.resize(size, now);
  }

  /** Somebody is at work here. */
  focus(): void {
    this.#grid.claim();
  }

  #pump(): void {
    if (!this.peer.live || this.viewOnly) return;
    for (let next = this.#input.next(); next !== undefined; next = this.#input.next()) {
      this.#send({ kind: "input", terminal: this.#terminal, ...next });
    }
  }

  #sized({ do: what, size }: GridEffect): void {
    if (what === "adopt") this.emit({ do: what, size });
    else this.#send({ kind: "resize", terminal: this.#terminal, ...size });
  }

  // --- output -----------------------------------------------------------------------------------------------------

  #attach(): void {
    this.#attached = true;
    this.#leaving = false;
    const size = this.#grid.greet(false);
    this.#resumed = this.#have === undefined ? undefined : "exact";
    this.#send({ kind: "attach", terminal: this.#terminal, have: this.#have, epoch: this.peer.epoch ?? "0", history: HISTORY, role: this.#role(), ...size });
  }

  /** For typing would give up sole control where we have it; a watcher stays one until its user wants to type again. */
  #role(): AttachRole {
    if (this.#takenOver) return "view";
    return this.#alone ? "alone" : "control";
  }

  #detach(): void {
    if (this.#attached && this.peer.live) this.#send({ kind: "detach", terminal: this.#terminal });
    this.#attached = this.#leaving = false;
    this.#ackAt = undefined;
    this.#grid.rest();
  }

  #snapshot({ offset, bytes, ...size }: { offset: number; bytes: Uint8Array } & Size): void {
    if (!this.#attached) return;
    this.#resumed = "snapshot";
    this.#generation += 1;
    this.#have = offset;
    this.#parsed = this.#ackSent = Math.max(0, offset - bytes.length);
    this.#replayUntil = Math.max(this.#replayUntil, offset);
    this.emit({ do: "reset" });
    this.#grid.become(size, undefined);
    this.#write(bytes, offset);
  }

  #output(offset: number, bytes: Uint8Array): void {
    const have = this.#have;
    const end = offset + bytes.length;
    // What comes before the snapshot that was asked for belongs to what was there before.
    if (have === undefined || !this.#attached) return;
    // A gap cannot happen on one socket; asking again is cheaper than trusting that.
    if (offset > have) return this.#attach();
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

  #send(frame: ClientFrame): void {
    this.emit({ do: "send", frame });
  }

  #notice(text: string): void {
    this.emit({ do: "notice", text });
  }
}

export function keys(count: number): string {
  return count === 1 ? "1 key" : `${count} keys`;
}
