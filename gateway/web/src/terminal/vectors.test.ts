// The vectors that every implementation of `kterm.v1` is held against (gateway/protocol/vectors).

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decode, encode, FrameError, type ClientFrame } from "./kterm";

interface Vector {
  name: string;
  hex: string;
  frame: Record<string, unknown> & { type: string };
}

interface Vectors {
  client: Vector[];
  server: Vector[];
  refusedFromServer: Pick<Vector, "name" | "hex">[];
}

const FILE = new URL("../../../protocol/vectors/kterm.json", import.meta.url);
const { client, server, refusedFromServer } = JSON.parse(readFileSync(FILE, "utf8")) as Vectors;

const bytes = (hex: unknown): Uint8Array => Uint8Array.from(String(hex).match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const isNew = (frame: Vector["frame"]): boolean => ["SIGNAL", "COMMAND", "COMMAND_DONE"].includes(frame.type);

/** The vector's frame as this page has it; undefined for what it never sends. */
function ours({ type, ...rest }: Vector["frame"]): ClientFrame | undefined {
  const kind = type.toLowerCase();
  if (type === "HELLO") return { kind: "hello", hello: (rest.hello ?? rest) as never };
  if (type === "RESIZE" && (rest.x_pixels !== 0 || rest.y_pixels !== 0)) return undefined;
  if (type === "INPUT") return { ...rest, kind, bytes: bytes(rest.bytes) } as unknown as ClientFrame;
  if (type === "ATTACH") return { ...rest, kind, have: rest.have ?? undefined } as unknown as ClientFrame;
  if (type === "PING") return { kind: "ping", visible: rest.visible === true, micros: Number(rest.client_us) };
  return { ...rest, kind } as unknown as ClientFrame;
}

const KINDS: Record<string, string> = { INPUT_ACK: "inputAck" };

describe("the vectors of kterm.v1", () => {
  const sent = client.flatMap((vector) => {
    const frame = isNew(vector.frame) ? undefined : ours(vector.frame);
    return frame === undefined ? [] : [{ ...vector, ours: frame }];
  });
  it.each(sent)("sends $name", ({ hex, ours: frame }) => {
    if (frame.kind === "hello" || frame.kind === "open") {
      // What is JSON may stand in another order, with or without what is usual.
      const at = frame.kind === "hello" ? 4 : 20;
      expect(encode(frame).subarray(0, at)).toEqual(bytes(hex).subarray(0, at));
      expect(JSON.parse(new TextDecoder().decode(encode(frame).subarray(at)))).toMatchObject(frame.kind === "open" ? frame.request : {});
    } else expect(encode(frame)).toEqual(bytes(hex));
  });

  it.each(server.filter(({ frame }) => !isNew(frame)))("reads $name", ({ hex, frame: { type, ...rest } }) => {
    const found = decode(bytes(hex).slice().buffer);
    expect(found.kind).toBe(KINDS[type] ?? type.toLowerCase());
    if (found.kind === "welcome") return expect(found.welcome).toMatchObject({ limits: { max_frame: 65_536 } });
    if (found.kind === "pong") return expect(found).toMatchObject({ micros: rest.client_us, head: rest.head });
    if ("bytes" in rest) rest.bytes = bytes(rest.bytes);
    expect(found).toMatchObject(rest);
  });

  it.each(refusedFromServer)("refuses $name", ({ hex }) => expect(() => decode(bytes(hex).slice().buffer)).toThrow(FrameError));
});
