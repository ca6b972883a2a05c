import { describe, expect, it } from "vitest";
import { live, size, type Rig } from "../../test/rig";
import { ErrorCode } from "./kterm";
import type { Event } from "./machine";

describe("size", () => {
  const resized = (owner: number): Event => ({ type: "frame", frame: { kind: "resized", terminal: 1, offset: 0, owner, cols: 120, rows: 40 } });

  it("shows the grid of the window that owns it, until somebody types here", () => {
    const rig = live();
    rig.take();
    expect(rig.send(resized(7)).take()).toEqual([{ do: "adopt", tab: 1, size: { cols: 120, rows: 40 } }]);
    rig.type("x");
    expect(rig.take()[0]).toEqual({ do: "send", frame: { kind: "resize", terminal: 1, ...size } });
    expect(rig.send({ type: "frame", frame: { kind: "resized", terminal: 1, offset: 0, owner: 1, ...size } }).take()).toEqual([{ do: "adopt", tab: 1, size }]);
  });

  it("is taken by who turns to the terminal, and asked for once", () => {
    const rig = live();
    rig.take();
    expect(rig.send({ type: "focus", tab: 1 }).take()).toEqual([]);
    rig.send(resized(7)).take();
    const claim = { do: "send", frame: { kind: "resize", terminal: 1, ...size } };
    expect(rig.send({ type: "focus", tab: 1 }).take()).toEqual([claim]);
    expect(rig.send({ type: "focus", tab: 1 }).take()).toEqual([]);
    rig.send(resized(7)).take();
    expect(rig.send({ type: "focus", tab: 1 }).take()).toEqual([claim]);
  });

  it.each<[string, (rig: Rig) => void]>([
    [
      "a viewer",
      (rig) => {
        rig.pod.role = "view";
        rig.cut().tick().open().parseAll();
      },
    ],
    ["one who was taken over", (rig) => rig.send({ type: "frame", frame: { kind: "error", terminal: 1, reference: 5, code: ErrorCode.takenOver, text: "no" } })],
  ])("of the terminal stays on the screen of %s, whatever becomes of the window", (_name, bar) => {
    const rig = live().parseAll();
    bar(rig);
    rig.tick().take();
    // Even where the window had just that room before.
    expect(rig.send({ type: "resize", tab: 1, size: { cols: 60, rows: 20 } }).take()).toEqual([{ do: "adopt", tab: 1, size }]);
    rig.send(resized(7)).take();
    expect(rig.send({ type: "resize", tab: 1, size: { cols: 70, rows: 20 } }).take()).toEqual([{ do: "adopt", tab: 1, size: { cols: 120, rows: 40 } }]);
    expect(rig.tick().take().filter((effect) => effect.do === "send" && effect.frame.kind === "resize")).toEqual([]);
  });

  it("of another window is shown to who comes back, unless this one has changed meanwhile", () => {
    const rig = live().print("$ ").deliver().parseAll();
    Object.assign(rig.pod.size, { cols: 120, rows: 40 });
    rig.cut().tick().take();
    rig.open();
    expect(rig.take()).toContainEqual({ do: "adopt", tab: 1, size: { cols: 120, rows: 40 } });
    rig.cut().send({ type: "resize", tab: 1, size: { cols: 90, rows: 30 } }).tick().take();
    rig.open({ cols: 90, rows: 30 });
    expect(rig.take()).toContainEqual({ do: "send", frame: { kind: "resize", terminal: 1, cols: 90, rows: 30 } });
  });

  it("sends a new size once it has settled", () => {
    const rig = live().parseAll().tick();
    rig.take();
    for (const cols of [90, 95, 100]) rig.send({ type: "resize", tab: 1, size: { cols, rows: 30 } });
    rig.tick();
    expect(rig.take()).toEqual([{ do: "send", frame: { kind: "resize", terminal: 1, cols: 100, rows: 30 } }]);
  });
});
