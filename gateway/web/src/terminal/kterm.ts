// The codec of `kterm.v1` (docs/developer/protocol-kterm.md; the other end is gateway/protocol/src/kterm).
//
// A frame is one binary message: u8 type, u8 flags, u16 terminal, then a body; integers are little-endian. Offsets
// count bytes and stay below 2^53, so they are plain numbers here.

export const SUBPROTOCOL = "kterm.v1";

/** The largest frame in either direction. */
export const MAX_FRAME = 64 * 1024;

const HEAD = 4;
const NOTHING = 0xffff_ffff_ffff_ffffn;
const AUTO = 1;
const VISIBLE = 1;
const BELL = 1;

/** The longest title that may be given, in bytes. */
export const MAX_TITLE = 128;

const Client = { input: 0x01, resize: 0x02, ack: 0x03, open: 0x04, attach: 0x05, detach: 0x06, close: 0x07, ping: 0x08, clear: 0x09, hello: 0x0c, title: 0x0d } as const;
const Server = { output: 0x81, snapshot: 0x82, inputAck: 0x83, resized: 0x84, exit: 0x85, pong: 0x86, terms: 0x87, error: 0x88, welcome: 0x89, activity: 0x8a } as const;

export interface Size {
  cols: number;
  rows: number;
}

export interface Hello {
  client_id: string;
  epoch?: string;
  visible: boolean;
  cause?: string;
  attempts?: number;
  down_ms?: number;
  terms: { id: number; have_off?: number; cols: number; rows: number }[];
  caps: { window?: number; activity?: boolean };
}

export interface TerminalInfo {
  id: number;
  key?: string;
  /** Absent in runtimes of before. */
  type?: "system" | "agent";
  title: string;
  cwd: string;
  alive: boolean;
  cols: number;
  rows: number;
  head: number;
  tail: number;
  /** Input of ours that was taken, and how much of it was written to the program; the latter is absent in runtimes of before. */
  in_off?: number;
  in_written?: number;
}

export interface Welcome {
  epoch: string;
  conn_id: number;
  role: "control" | "view";
  limits: { max_frame: number; window: number; terminals: number; clients: number };
  terms: TerminalInfo[];
  /** Absent in runtimes that know neither TITLE nor sole control, and close on them. */
  commands?: boolean;
}

/** How a client takes part in a terminal. `alone`: others become viewers. */
export type AttachRole = "control" | "view" | "alone";
const ROLES: Record<AttachRole, number> = { control: 0, view: 1, alone: 2 };

/** Why a snapshot came: what its receiver had is gone, it was too far behind, or somebody cleared the history. */
export type SnapshotReason = "attach" | "overrun" | "skip" | "clear";
const REASONS: readonly SnapshotReason[] = ["attach", "overrun", "skip", "clear"];

export type ClientFrame =
  | { kind: "hello"; hello: Hello }
  | { kind: "input"; terminal: number; auto: boolean; offset: number; bytes: Uint8Array }
  | ({ kind: "resize"; terminal: number } & Size)
  | { kind: "ack"; terminal: number; offset: number }
  | { kind: "open"; key: string; request: Partial<Size> & { cwd?: string; title?: string } }
  | ({ kind: "attach"; terminal: number; have: number | undefined; epoch: string; history: number; role: AttachRole } & Size)
  | { kind: "detach"; terminal: number }
  | { kind: "close"; terminal: number; signal: number }
  | { kind: "clear"; terminal: number }
  | { kind: "title"; terminal: number; title: string }
  | { kind: "ping"; visible: boolean; micros: number };

export type ServerFrame =
  | { kind: "output"; terminal: number; offset: number; bytes: Uint8Array }
  | ({ kind: "snapshot"; terminal: number; offset: number; reason: SnapshotReason; bytes: Uint8Array } & Size)
  | { kind: "inputAck"; terminal: number; offset: number }
  | ({ kind: "resized"; terminal: number; offset: number; owner: number } & Size)
  | { kind: "exit"; terminal: number; offset: number; code: number; signal: number }
  | { kind: "pong"; micros: number; head: number }
  | { kind: "terms"; terms: TerminalInfo[] }
  | { kind: "error"; terminal: number; reference: number; code: number; text: string }
  | { kind: "welcome"; welcome: Welcome }
  | { kind: "activity"; terminal: number; head: number; bell: boolean };

/** Codes of an `error` frame that the page acts on. */
export const ErrorCode = { noSuchTerminal: 1, readOnly: 2, tooManyTerminals: 3, ended: 4, inputGap: 5, cannotOpen: 6, outOfOrder: 7, exhausted: 8, busy: 9, takenOver: 10 } as const;

/** A frame that cannot be read: the other end speaks another version. */
export class FrameError extends Error {}

export function encode(frame: ClientFrame): Uint8Array<ArrayBuffer> {
  switch (frame.kind) {
    case "hello":
      return json(Client.hello, frame.hello);
    case "input": {
      const [bytes, view] = start(Client.input, frame.auto ? AUTO : 0, frame.terminal, 8 + frame.bytes.length);
      putOffset(view, HEAD, frame.offset);
      bytes.set(frame.bytes, HEAD + 8);
      return bytes;
    }
    case "resize": {
      const [bytes, view] = start(Client.resize, 0, frame.terminal, 8);
      putSize(view, HEAD, frame);
      return bytes;
    }
    case "ack": {
      const [bytes, view] = start(Client.ack, 0, frame.terminal, 8);
      putOffset(view, HEAD, frame.offset);
      return bytes;
    }
    case "open": {
      const body = new TextEncoder().encode(JSON.stringify(frame.request));
      const [bytes, view] = start(Client.open, 0, 0, 16 + body.length);
      const key = BigInt(`0x${frame.key}`);
      view.setBigUint64(HEAD, key & NOTHING, true);
      view.setBigUint64(HEAD + 8, key >> 64n, true);
      bytes.set(body, HEAD + 16);
      return bytes;
    }
    case "attach": {
      const [bytes, view] = start(Client.attach, 0, frame.terminal, 25);
      view.setBigUint64(HEAD, frame.have === undefined ? NOTHING : BigInt(frame.have), true);
      view.setBigUint64(HEAD + 8, BigInt(`0x${frame.epoch || "0"}`), true);
      view.setUint32(HEAD + 16, frame.history, true);
      view.setUint16(HEAD + 20, frame.cols, true);
      view.setUint16(HEAD + 22, frame.rows, true);
      view.setUint8(HEAD + 24, ROLES[frame.role]);
      return bytes;
    }
    case "detach":
      return start(Client.detach, 0, frame.terminal, 0)[0];
    case "close": {
      const [bytes, view] = start(Client.close, 0, frame.terminal, 1);
      view.setUint8(HEAD, frame.signal);
      return bytes;
    }
    case "clear":
      return start(Client.clear, 0, frame.terminal, 0)[0];
    case "title": {
      const body = new TextEncoder().encode(frame.title);
      const [bytes] = start(Client.title, 0, frame.terminal, body.length);
      bytes.set(body, HEAD);
      return bytes;
    }
    case "ping": {
      const [bytes, view] = start(Client.ping, frame.visible ? VISIBLE : 0, 0, 8);
      putOffset(view, HEAD, frame.micros);
      return bytes;
    }
  }
}

export function decode(message: ArrayBuffer): ServerFrame {
  const reader = new Reader(message);
  const frame = decodeBody(reader);
  reader.end();
  return frame;
}

function decodeBody(reader: Reader): ServerFrame {
  const { terminal } = reader;
  switch (reader.type) {
    case Server.output:
      return { kind: "output", terminal, offset: reader.offset(), bytes: reader.rest() };
    case Server.snapshot:
      return { kind: "snapshot", terminal, offset: reader.offset(), cols: reader.u16(), rows: reader.u16(), reason: reasonOf(reader.u8()), bytes: reader.rest() };
    case Server.inputAck:
      return { kind: "inputAck", terminal, offset: reader.offset() };
    case Server.resized:
      return { kind: "resized", terminal, offset: reader.offset(), cols: reader.u16(), rows: reader.u16(), owner: reader.u32() };
    case Server.exit:
      return { kind: "exit", terminal, offset: reader.offset(), code: reader.i32(), signal: reader.u8() };
    case Server.pong: {
      const micros = reader.offset();
      reader.offset();
      return { kind: "pong", micros, head: reader.offset() };
    }
    case Server.terms:
      return { kind: "terms", terms: (reader.json() as { terms: TerminalInfo[] }).terms };
    case Server.error:
      return { kind: "error", terminal, reference: reader.u32(), code: codeOf(reader.u16()), text: reader.text() };
    case Server.welcome:
      return { kind: "welcome", welcome: reader.json() as Welcome };
    case Server.activity:
      return { kind: "activity", terminal, head: reader.offset(), bell: (reader.flags & BELL) !== 0 };
    default:
      throw new FrameError(`frame type 0x${reader.type.toString(16).padStart(2, "0")} is unknown`);
  }
}

/** A code above those that are known is shown with its text. */
function codeOf(code: number): number {
  if (code === 0) throw new FrameError("an ERROR without a code");
  return code;
}

function reasonOf(byte: number): SnapshotReason {
  const reason = REASONS[byte];
  if (reason === undefined) throw new FrameError(`a SNAPSHOT for the reason ${byte}`);
  return reason;
}

type Bytes = Uint8Array<ArrayBuffer>;

function start(type: number, flags: number, terminal: number, body: number): [Bytes, DataView] {
  const bytes = new Uint8Array(HEAD + body);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, type);
  view.setUint8(1, flags);
  view.setUint16(2, terminal, true);
  return [bytes, view];
}

function json(type: number, value: unknown): Bytes {
  const body = new TextEncoder().encode(JSON.stringify(value));
  const [bytes] = start(type, 0, 0, body.length);
  bytes.set(body, HEAD);
  return bytes;
}

function putOffset(view: DataView, at: number, value: number): void {
  view.setBigUint64(at, BigInt(value), true);
}

function putSize(view: DataView, at: number, size: Size): void {
  view.setUint16(at, size.cols, true);
  view.setUint16(at + 2, size.rows, true);
}

/** What is left of a frame's body; every read checks that it is there. */
class Reader {
  readonly type: number;
  readonly flags: number;
  readonly terminal: number;
  readonly #view: DataView;
  #at = HEAD;

  constructor(message: ArrayBuffer) {
    if (message.byteLength > MAX_FRAME) throw new FrameError(`a frame of ${message.byteLength} bytes; at most ${MAX_FRAME} are allowed`);
    this.#view = new DataView(message);
    if (message.byteLength < HEAD) throw new FrameError("a frame without a head");
    this.type = this.#view.getUint8(0);
    this.flags = this.#view.getUint8(1);
    this.terminal = this.#view.getUint16(2, true);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }
  offset(): number {
    const value = Number(this.#view.getBigUint64(this.#take(8), true));
    if (value > Number.MAX_SAFE_INTEGER) throw new FrameError("an offset above 2^53");
    return value;
  }
  rest(): Uint8Array {
    const bytes = new Uint8Array(this.#view.buffer, this.#at);
    this.#at = this.#view.byteLength;
    return bytes;
  }
  text(): string {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(this.rest());
    } catch {
      throw new FrameError(`the text of a frame of type 0x${this.type.toString(16)} is no UTF-8`);
    }
  }
  json(): unknown {
    const text = this.text();
    try {
      return JSON.parse(text);
    } catch {
      throw new FrameError(`the JSON of a frame of type 0x${this.type.toString(16)} is malformed`);
    }
  }
  end(): void {
    const surplus = this.#view.byteLength - this.#at;
    if (surplus > 0) throw new FrameError(`a frame of type 0x${this.type.toString(16)} has ${surplus} bytes too many`);
  }

  #take(count: number): number {
    const at = this.#at;
    if (at + count > this.#view.byteLength) throw new FrameError(`a frame of type 0x${this.type.toString(16)} ends early`);
    this.#at = at + count;
    return at;
  }
}
