import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decode, encode, FrameError, MAX_FRAME, type ClientFrame } from "./kterm";

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));
const message = (text: string): ArrayBuffer => ascii(text).buffer as ArrayBuffer;

describe("the published vectors (docs/developer/protocol-kterm.md)", () => {
  it("INPUT", () => {
    const frame: ClientFrame = { kind: "input", terminal: 1, auto: false, offset: 2, bytes: ascii("ls\r") };
    expect(encode(frame)).toEqual(ascii("\x01\x00\x01\x00\x02\0\0\0\0\0\0\0ls\r"));
  });
  it("PING", () => {
    expect(encode({ kind: "ping", visible: true, micros: 258 })).toEqual(ascii("\x08\x01\x00\x00\x02\x01\0\0\0\0\0\0"));
  });
  it("EXIT", () => {
    expect(decode(message("\x85\x00\x01\x00\x03\0\0\0\0\0\0\0\x02\0\0\0\0"))).toEqual({ kind: "exit", terminal: 1, offset: 3, code: 2, signal: 0 });
  });
});

describe("encode", () => {
  it.each<[string, ClientFrame, string]>([
    ["marks what the emulator said", { kind: "input", terminal: 1, auto: true, offset: 0, bytes: ascii("c") }, "\x01\x01\x01\x00\0\0\0\0\0\0\0\0c"],
    ["RESIZE without pixels", { kind: "resize", terminal: 2, cols: 80, rows: 24 }, "\x02\x00\x02\x00\x50\0\x18\0\0\0\0\0"],
    ["ACK beyond 32 bits", { kind: "ack", terminal: 1, offset: 2 ** 32 + 1 }, "\x03\x00\x01\x00\x01\0\0\0\x01\0\0\0"],
    ["ATTACH with nothing", { kind: "attach", terminal: 1, have: undefined, epoch: "0a", history: 7, cols: 1, rows: 2, role: "view" }, `\x05\0\x01\0${"\xff".repeat(8)}\x0a\0\0\0\0\0\0\0\x07\0\0\0\x01\0\x02\0\x01`],
    ["OPEN with its key, lowest byte first", { kind: "open", key: "0102030405060708090a0b0c0d0e0f10", request: {} }, "\x04\0\0\0\x10\x0f\x0e\x0d\x0c\x0b\x0a\x09\x08\x07\x06\x05\x04\x03\x02\x01{}"],
    ["DETACH", { kind: "detach", terminal: 3 }, "\x06\0\x03\0"],
    ["TITLE", { kind: "title", terminal: 3, title: "é" }, "\x0d\0\x03\0\xc3\xa9"],
    ["CLOSE", { kind: "close", terminal: 3, signal: 9 }, "\x07\0\x03\0\x09"],
    ["HELLO", { kind: "hello", hello: { client_id: "a", visible: true, terms: [], caps: {} } }, '\x0c\0\0\0{"client_id":"a","visible":true,"terms":[],"caps":{}}'],
  ])("%s", (_name, frame, bytes) => expect(encode(frame)).toEqual(ascii(bytes)));
});

describe("decode", () => {
  it.each<[string, string, object]>([
    ["OUTPUT", "\x81\0\x01\0\x05\0\0\0\0\0\0\0hi", { kind: "output", terminal: 1, offset: 5, bytes: ascii("hi") }],
    ["SNAPSHOT after an overrun", "\x82\0\x01\0\x05\0\0\0\0\0\0\0\x50\0\x18\0\x01$", { kind: "snapshot", terminal: 1, offset: 5, cols: 80, rows: 24, reason: "overrun", bytes: ascii("$") }],
    ["RESIZED", "\x84\0\x01\0\x05\0\0\0\0\0\0\0\x50\0\x18\0\x07\0\0\0", { kind: "resized", terminal: 1, offset: 5, cols: 80, rows: 24, owner: 7 }],
    ["EXIT with a negative code", "\x85\0\x01\0\x05\0\0\0\0\0\0\0\xff\xff\xff\xff\x09", { kind: "exit", terminal: 1, offset: 5, code: -1, signal: 9 }],
    ["ERROR", "\x88\0\x04\0\x01\0\0\0\x01\0no such", { kind: "error", terminal: 4, reference: 1, code: 1, text: "no such" }],
    ["ACTIVITY with a bell", "\x8a\x01\x04\0\x05\0\0\0\0\0\0\0", { kind: "activity", terminal: 4, head: 5, bell: true }],
    ["TERMS", '\x87\0\0\0{"terms":[]}', { kind: "terms", terms: [] }],
  ])("%s", (_name, bytes, frame) => expect(decode(message(bytes))).toEqual(frame));

  it.each([
    ["an unknown type", "\x7f\0\0\0"],
    ["a frame without a head", "\x81"],
    ["a short body", "\x83\0\x01\0\x05"],
    ["a long body", `\x83\0\x01\0${"\0".repeat(9)}`],
    ["JSON that is none", "\x89\0\0\0{"],
    ["an offset above 2^53", `\x83\0\x01\0${"\xff".repeat(8)}`],
    ["a snapshot for no reason", "\x82\0\x01\0\x05\0\0\0\0\0\0\0\x50\0\x18\0\x09"],
    ["a frame above the limit", `\x81\0\x01\0${"\0".repeat(MAX_FRAME)}`],
  ])("refuses %s", (_name, bytes) => expect(() => decode(message(bytes))).toThrow(FrameError));

  it("reads or refuses any bytes, and nothing else happens", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          decode(bytes.slice().buffer);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
        }
      }),
    );
  });
});
