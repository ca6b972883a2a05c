// A model of the runtime's end of `kterm.v1` without sockets: what it would answer to each frame. Tests cut the line
// between it and the machine wherever they like.

import { ErrorCode, type ClientFrame, type ServerFrame, type TerminalInfo } from "../src/terminal/kterm";

/** As in the runtime: docs/developer/limits.md. */
const PENDING_BYTES = 64 * 1024;

export class ModelPod {
  output: number[] = [];
  /** What reached the shell. */
  typed: number[] = [];
  epoch = "a1";
  role: "control" | "view" = "control";
  readonly size = { cols: 80, rows: 24 };
  /** Oldest byte of output that is still kept. */
  tail = 0;
  key: string | undefined;
  /** Whether a snapshot carries the output that is there, or only says where it begins. */
  inSnapshot = false;
  /** Whether the shell reads what is typed. */
  reads = true;
  /** Refuses input as if bytes before it were missing. */
  forgets = false;
  #seen = new Map<string, number>();
  /** How much of it the shell has read. */
  #read = new Map<string, number>();
  #client = "";

  info(): TerminalInfo {
    return { id: 1, title: "bash", cwd: "/", alive: true, ...this.size, head: this.output.length, tail: this.tail, in_off: this.#taken, in_written: this.#written, ...(this.key !== undefined && { key: this.key }) };
  }

  get #taken(): number {
    return this.#seen.get(this.#client) ?? 0;
  }
  get #written(): number {
    return this.#read.get(this.#client) ?? 0;
  }
  /** Input that waits for the shell. */
  get pending(): number {
    return this.#taken - this.#written;
  }

  restart(epoch: string): void {
    this.epoch = epoch;
    this.output = [];
    this.tail = 0;
    this.#seen = new Map();
    this.#read = new Map();
  }

  answer(frame: ClientFrame): ServerFrame[] {
    // Nothing more is read from whom so much waits of; a new connection is.
    if (frame.kind !== "hello" && this.pending > PENDING_BYTES) return [];
    switch (frame.kind) {
      case "hello": {
        this.#client = frame.hello.client_id;
        const welcome = { epoch: this.epoch, conn_id: 1, role: this.role, limits: { max_frame: 65536, window: 262144, terminals: 16, clients: 16 }, terms: [this.info()] };
        const have = frame.hello.epoch === this.epoch ? frame.hello.terms[0]?.have_off : undefined;
        return [{ kind: "welcome", welcome }, ...this.outputFrom(have)];
      }
      case "input": {
        if (this.forgets) return [{ kind: "error", terminal: 1, reference: 1, code: ErrorCode.inputGap, text: "gap" }];
        const seen = this.#taken;
        if (frame.offset > seen) throw new Error(`input gap: ${frame.offset} after ${seen}`);
        const fresh = frame.bytes.subarray(seen - frame.offset);
        this.typed.push(...fresh);
        this.#seen.set(this.#client, seen + fresh.length);
        if (!this.reads) return [];
        this.#read.set(this.#client, this.#taken);
        return [{ kind: "inputAck", terminal: 1, offset: this.#written }];
      }
      case "ping":
        return [{ kind: "pong", micros: frame.micros, head: this.output.length }];
      default:
        return [];
    }
  }

  print(bytes: Uint8Array): ServerFrame {
    const offset = this.output.length;
    this.output.push(...bytes);
    return { kind: "output", terminal: 1, offset, bytes };
  }

  outputFrom(have: number | undefined): ServerFrame[] {
    const known = have !== undefined && have >= this.tail;
    const from = known ? have : this.tail;
    const kept = Uint8Array.from(this.output.slice(from));
    if (!known && this.inSnapshot) return [snapshot(this.output.length, have !== undefined, kept)];
    const frames: ServerFrame[] = known ? [] : [snapshot(from, have !== undefined, new Uint8Array())];
    if (kept.length > 0) frames.push({ kind: "output", terminal: 1, offset: from, bytes: kept });
    return frames;
  }
}

function snapshot(offset: number, overrun: boolean, bytes: Uint8Array): ServerFrame {
  return { kind: "snapshot", terminal: 1, offset, cols: 80, rows: 24, reason: overrun ? "overrun" : "attach", bytes };
}
