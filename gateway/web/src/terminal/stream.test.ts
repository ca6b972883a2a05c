import { describe, expect, it } from "vitest";
import { ModelPod } from "../../test/model-pod";
import { TerminalStream, type StreamEffect } from "./stream";

const size = { cols: 80, rows: 24 };

/** A stream whose screen parses when it is told to. */
function connect(pod: ModelPod) {
  const effects: StreamEffect[] = [];
  const stream = new TerminalStream(size, (effect) => effects.push(effect));
  const open = (): (() => void) => {
    const frames = pod.answer({ kind: "hello", hello: { client_id: "c", visible: true, caps: {}, ...stream.hello() } });
    const [first, ...rest] = frames;
    if (first?.kind !== "welcome") throw new Error("no welcome");
    stream.welcomed(first.welcome);
    return () => rest.forEach((frame) => frame.kind !== "welcome" && frame.kind !== "pong" && stream.frame(frame));
  };
  const parse = (): void => effects.splice(0).forEach((effect) => effect.do === "write" && stream.parsed(effect.end, effect.generation, 0));
  return { stream, open, parse };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("what was there before", () => {
  it.each([
    ["a snapshot", true],
    ["a replay", false],
  ])("is shown once all of %s is parsed, after each connection", (_, inSnapshot) => {
    const pod = new ModelPod();
    pod.inSnapshot = inSnapshot;
    const { stream, open, parse } = connect(pod);
    for (const output of ["\x1b[?1049h", "more"]) {
      pod.print(bytes(output));
      expect(stream.isShown).toBe(false);
      const deliver = open();
      expect(stream.isShown).toBe(false);
      deliver();
      expect(stream.isShown).toBe(false);
      parse();
      expect(stream.isShown).toBe(true);
      stream.lost();
    }
  });

  it("is shown at once where there is nothing, and stays so while more comes", () => {
    const pod = new ModelPod();
    const { stream, open } = connect(pod);
    open()();
    expect(stream.isShown).toBe(true);
    const frame = pod.print(bytes("one"));
    if (frame.kind === "output") stream.frame(frame);
    expect(stream.isShown).toBe(true);
  });
});
