import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CHUNK, IN_FLIGHT, InputQueue } from "./input-queue";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const all = (queue: InputQueue): number[] => {
  const sent: number[] = [];
  for (let frame = queue.next(); frame !== undefined; frame = queue.next()) sent.push(...frame.bytes);
  return sent;
};

describe("InputQueue", () => {
  it("cuts a paste, and lets no more than the allowance be on its way", () => {
    const queue = new InputQueue();
    queue.push(new Uint8Array(IN_FLIGHT * 2), false, 5);
    const sizes: number[] = [];
    for (let frame = queue.next(); frame !== undefined; frame = queue.next()) sizes.push(frame.bytes.length);
    expect(sizes).toEqual([CHUNK, CHUNK, CHUNK, CHUNK]);
    queue.ack(CHUNK);
    expect(queue.next()?.offset).toBe(IN_FLIGHT);
  });

  it("puts single keys that wait together into one frame", () => {
    const queue = new InputQueue();
    for (const key of "make\r") queue.push(bytes(key), false, 1);
    expect(queue.keys).toBe(5);
    expect(queue.next()?.bytes).toEqual(bytes("make\r"));
    expect(queue.next()).toBeUndefined();
  });

  it("keeps what the emulator said apart from what was typed", () => {
    const queue = new InputQueue();
    queue.push(bytes("a"), false, 1);
    queue.push(bytes("\x1b[0n"), true, 0);
    expect([queue.next()?.auto, queue.next()?.auto]).toEqual([false, true]);
  });

  it("says how many keys are lost when the pod's count belongs to another stream", () => {
    const queue = new InputQueue();
    queue.push(bytes("abc"), false, 3);
    queue.next();
    queue.ack(3);
    queue.push(bytes("de"), false, 2);
    expect(queue.resume(0, 0)).toBe(2);
    expect(queue.pending).toBe(0);
  });

  it("counts what the pod has taken as on its way until the shell has it, over any number of sockets", () => {
    const queue = new InputQueue();
    queue.push(new Uint8Array(1024 * 1024), false, 5);
    all(queue);
    for (let cut = 0; cut < 3; cut += 1) {
      expect(queue.resume(IN_FLIGHT, 0)).toBe(0);
      expect(queue.next()).toBeUndefined();
    }
    queue.ack(CHUNK);
    expect(queue.next()?.offset).toBe(IN_FLIGHT);
    expect(queue.next()).toBeUndefined();
  });

  it("discards what no socket has carried, and only that", () => {
    const queue = new InputQueue();
    queue.push(bytes("sent"), false, 4);
    queue.next();
    queue.push(bytes("kept back"), false, 9);
    queue.discardUnsent();
    expect(queue.pending).toBe(4);
    queue.push(bytes("!"), false, 1);
    expect(queue.next()).toMatchObject({ offset: 4, bytes: bytes("!") });
  });

  it("delivers every byte exactly once, in order, over any number of lost sockets", () => {
    const step = fc.oneof(
      fc.record({ push: fc.uint8Array({ minLength: 1, maxLength: 40 }) }),
      fc.record({ deliver: fc.nat({ max: 60 }), tellsUs: fc.boolean() }),
      fc.constant({ lose: true as const }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new InputQueue();
        const typed: number[] = [];
        const received: number[] = [];
        let written = 0;
        let wire: number[] = [];
        const accept = (count: number): void => {
          received.push(...wire.splice(0, count));
        };
        for (const each of steps) {
          if ("push" in each) {
            queue.push(each.push, false, 1);
            typed.push(...each.push);
            wire.push(...all(queue));
          } else if ("deliver" in each) {
            accept(each.deliver);
            if (!each.tellsUs) continue;
            written = received.length;
            queue.ack(written);
          } else {
            wire = [];
            expect(queue.resume(received.length, written)).toBe(0);
            wire.push(...all(queue));
          }
        }
        accept(wire.length);
        expect(received).toEqual(typed);
      }),
    );
  });
});
