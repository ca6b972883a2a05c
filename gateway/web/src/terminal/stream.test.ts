import { describe, expect, it } from "vitest";
import { ModelPod } from "../../test/model-pod";
import { Terminals, type TabEffect } from "./terminals";

const size = { cols: 80, rows: 24 };

/** A stream whose screen parses when it is told to. */
function connect(pod: ModelPod) {
  const effects: TabEffect[] = [];
  const terminals = new Terminals({ order: [], active: undefined }, size, (effect) => effects.push(effect));
  const open = (): (() => void) => {
    const frames = pod.answer({ kind: "hello", hello: { client_id: "c", visible: true, caps: {}, ...terminals.hello() } });
    const [first, ...rest] = frames;
    if (first?.kind !== "welcome") throw new Error("no welcome");
    terminals.welcomed(first.welcome);
    return () => rest.forEach((frame) => frame.kind !== "welcome" && frame.kind !== "pong" && terminals.frame(frame));
  };
  const parse = (): void => effects.splice(0).forEach((effect) => effect.do === "write" && terminals.parsed(effect.tab, effect.end, effect.generation, 0));
  /** What was sent since the last look. */
  const sent = (): string[] => effects.splice(0).flatMap((effect) => (effect.do === "send" ? [effect.frame.kind] : []));
  return { terminals, sent, isShown: () => terminals.stream?.isShown, open, parse };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("what was there before", () => {
  it.each([
    ["a snapshot", true],
    ["a replay", false],
  ])("is shown once all of %s is parsed, after each connection", (_, inSnapshot) => {
    const pod = new ModelPod();
    pod.inSnapshot = inSnapshot;
    const { terminals, isShown, open, parse } = connect(pod);
    for (const output of ["\x1b[?1049h", "more"]) {
      pod.print(bytes(output));
      expect(isShown()).toBe(false);
      const deliver = open();
      expect(isShown()).toBe(false);
      deliver();
      expect(isShown()).toBe(false);
      parse();
      expect(isShown()).toBe(true);
      terminals.lost();
    }
  });

  it("is shown at once where there is nothing, and stays so while more comes", () => {
    const pod = new ModelPod();
    const { terminals, isShown, open } = connect(pod);
    open()();
    expect(isShown()).toBe(true);
    const frame = pod.print(bytes("one"));
    if (frame.kind === "output") terminals.frame(frame);
    expect(isShown()).toBe(true);
  });
});

it("says what was parsed before it answers what stands there", () => {
  const pod = new ModelPod();
  const { terminals, sent, open, parse } = connect(pod);
  open()();
  const frame = pod.print(bytes("\x1b[5n"));
  if (frame.kind === "output") terminals.frame(frame);
  parse();
  terminals.typed(1, bytes("\x1b[0n"), true, 0);
  expect(sent()).toEqual(["ack", "input"]);
  terminals.typed(1, bytes("\x1b[0n"), true, 0);
  expect(sent()).toEqual(["input"]);
});
