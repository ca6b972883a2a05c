import { describe, expect, it } from "vitest";
import type { ServerFrame, TerminalInfo, Welcome } from "./kterm";
import { Terminals, type Remembered, type TabEffect } from "./terminals";

const size = { cols: 80, rows: 24 };
const NOTHING: Remembered = { order: [], active: undefined };

const info = (id: number, part: Partial<TerminalInfo> = {}): TerminalInfo => ({ id, title: `shell ${id}`, type: "system", cwd: "/workspace", alive: true, cols: 80, rows: 24, head: 0, tail: 0, ...(id > 1 && { key: `0${id}` }), ...part });
const welcome = (terms: TerminalInfo[], part: Partial<Welcome> = {}): Welcome => ({ epoch: "a1", conn_id: 1, role: "control", commands: true, limits: { max_frame: 65536, window: 262144, terminals: 16, clients: 16 }, terms, ...part });

class Rig {
  readonly effects: TabEffect[] = [];
  readonly terminals: Terminals;

  constructor(remembered = NOTHING) {
    this.terminals = new Terminals(remembered, size, (effect) => this.effects.push(effect));
  }

  /** The page has a screen for its first tab, and the runtime answers. */
  meet(terms: TerminalInfo[], part: Partial<Welcome> = {}): this {
    const { active } = this.terminals;
    if (active !== undefined) this.terminals.show(active, size);
    this.terminals.hello();
    this.terminals.welcomed(welcome(terms, part));
    return this;
  }

  hear(frame: Exclude<ServerFrame, { kind: "welcome" | "pong" }>): this {
    this.terminals.frame(frame);
    return this;
  }

  output(terminal: number, text: string): this {
    return this.hear({ kind: "snapshot", terminal, offset: 0, reason: "attach", bytes: new Uint8Array(), ...size }).hear({ kind: "output", terminal, offset: 0, bytes: new TextEncoder().encode(text) });
  }

  /** Frames that were sent since the last time. */
  sent(): object[] {
    return this.effects.splice(0).flatMap((effect) => (effect.do === "send" ? [{ ...effect.frame }] : []));
  }

  look(tab: number): this {
    this.terminals.select(tab);
    this.terminals.show(tab, size);
    return this;
  }

  get tabs(): string[] {
    return this.terminals.tabs().map(({ tab, title, gone }) => `${tab === this.terminals.active ? "*" : ""}${title}${gone === undefined ? "" : ` (${gone})`}`);
  }

  notices(): string[] {
    return this.effects.flatMap((effect) => (effect.do === "notice" ? [effect.text] : []));
  }
}

describe("which tabs there are", () => {
  it("are those of the session, the first one looked at", () => {
    expect(new Rig().meet([info(1), info(2)]).tabs).toEqual(["*shell 1", "shell 2"]);
  });

  it("stand where they stood before the reload, and the same one is looked at in the first round trip", () => {
    const rig = new Rig({ order: ["3:3", "1:", "2:2"], active: 2 });
    expect(rig.terminals.hello()).toEqual({ terms: [{ id: 2, ...size }] });
    expect(rig.meet([info(1), info(2), info(3), info(4)]).tabs).toEqual(["shell 3", "shell 1", "*shell 2", "shell 4"]);
  });

  it("look at another one where the one of before is not there any more", () => {
    const rig = new Rig({ order: [], active: 9 }).meet([info(1), info(2, { alive: false })]);
    expect(rig.tabs).toEqual(["*shell 1", "shell 2"]);
    expect(rig.sent()).toMatchObject([{ kind: "detach", terminal: 9 }, { kind: "attach", terminal: 1 }]);
  });

  it("follow the session: opened and closed elsewhere", () => {
    const rig = new Rig().meet([info(1), info(2)]);
    expect(rig.hear({ kind: "terms", terms: [info(1), info(5)] }).tabs).toEqual(["*shell 1", "shell 5"]);
  });

  it("keep what is on the screen when it is closed elsewhere", () => {
    const rig = new Rig().meet([info(1), info(2)]).output(1, "kept");
    rig.hear({ kind: "terms", terms: [info(2)] });
    expect(rig.tabs).toEqual(["*shell 1 (closed)", "shell 2"]);
    rig.terminals.close(1);
    expect(rig.tabs).toEqual(["*shell 2"]);
  });

  it("stay the same array while nothing changes, so that nothing is drawn for nothing", () => {
    const rig = new Rig().meet([info(1)]);
    const before = rig.terminals.tabs();
    rig.output(1, "more").hear({ kind: "terms", terms: [info(1, { head: 4 })] });
    expect(rig.terminals.tabs()).toBe(before);
  });

  it("can be moved", () => {
    const rig = new Rig().meet([info(1), info(2), info(3)]);
    rig.terminals.move(1, 2);
    expect(rig.tabs).toEqual(["shell 2", "shell 3", "*shell 1"]);
  });
});

describe("looking at another tab", () => {
  it("lets the one go and asks for the other; back again goes on where the screen is", () => {
    const rig = new Rig().meet([info(1), info(2)]).output(1, "one");
    rig.sent();
    rig.look(2).output(2, "two");
    expect(rig.sent()).toMatchObject([{ kind: "detach", terminal: 1 }, { kind: "attach", terminal: 2, have: undefined }]);
    rig.look(1);
    expect(rig.sent()).toMatchObject([{ kind: "detach", terminal: 2 }, { kind: "attach", terminal: 1, have: 3, epoch: "a1" }]);
    expect(rig.terminals.stream?.resumed).toBe("exact");
  });

  it("waits until what was typed has arrived", () => {
    const rig = new Rig().meet([info(1), info(2)]).output(1, "one");
    rig.terminals.typed(1, Uint8Array.of(120), false, 1);
    rig.sent();
    rig.look(2);
    expect(rig.sent()).toMatchObject([{ kind: "attach", terminal: 2 }]);
    rig.hear({ kind: "inputAck", terminal: 1, offset: 1 });
    expect(rig.sent()).toEqual([{ kind: "detach", terminal: 1 }]);
  });

  it("drops what an emulator out of sight still answers", () => {
    const rig = new Rig().meet([info(1), info(2)]).output(1, "one").look(2);
    rig.sent();
    rig.terminals.typed(1, Uint8Array.of(27), true, 0);
    expect(rig.sent()).toEqual([]);
  });

  it("tells what happened out of sight until it is looked at", () => {
    const rig = new Rig().meet([info(1), info(2)]);
    const second = (): object | undefined => rig.terminals.tabs().find(({ terminal }) => terminal === 2);
    rig.hear({ kind: "activity", terminal: 2, head: 5, bell: false });
    expect(second()).toMatchObject({ activity: true, bell: false });
    rig.hear({ kind: "activity", terminal: 2, head: 6, bell: true });
    expect(second()).toMatchObject({ activity: true, bell: true });
    rig.look(2);
    expect(second()).toMatchObject({ activity: false, bell: false });
    rig.hear({ kind: "activity", terminal: 1, head: 0, bell: false });
    expect(rig.terminals.tabs()[0]).toMatchObject({ activity: false });
  });

  it("shows nothing of one that was let go, whatever is still on its way", () => {
    const rig = new Rig().meet([info(1), info(2)]).output(1, "one").look(2);
    rig.effects.splice(0);
    rig.output(1, "late");
    expect(rig.effects).toEqual([]);
    rig.look(1);
    expect(rig.sent()).toContainEqual(expect.objectContaining({ kind: "attach", terminal: 1, have: 3 }));
  });

  it("asks for all of one whose screen is gone, although something typed there is on its way", () => {
    const rig = new Rig().meet([info(1), info(2)]).output(1, "one");
    rig.terminals.typed(1, Uint8Array.of(120), false, 1);
    rig.sent();
    rig.terminals.unplace(1);
    expect(rig.sent()).toEqual([{ kind: "detach", terminal: 1 }]);
    rig.terminals.show(1, size);
    expect(rig.sent()).toMatchObject([{ kind: "attach", terminal: 1, have: undefined }]);
  });

  it("sends what was typed into another one again after a loss, and only once", () => {
    const rig = new Rig().meet([info(1), info(2)]).output(1, "one");
    rig.terminals.typed(1, Uint8Array.of(120, 121), false, 2);
    rig.look(2);
    rig.terminals.lost();
    rig.sent();
    rig.meet([info(1, { in_off: 1 }), info(2)]);
    expect(rig.sent()).toContainEqual({ kind: "input", terminal: 1, offset: 1, auto: false, bytes: Uint8Array.of(121) });
  });
});

describe("the agent's terminal", () => {
  it("takes nothing, also of what was typed before it was known as that", () => {
    const rig = new Rig();
    rig.terminals.typed(1, Uint8Array.of(120), false, 1);
    rig.meet([info(1, { type: "agent" }), info(2)]);
    expect(rig.sent()).toEqual([]);
    expect(rig.terminals.waiting).toEqual({ keys: 0, bytes: 0 });
  });

  it("refuses what is typed there, and that alone", () => {
    const rig = new Rig().meet([info(1, { type: "agent" }), info(2)]);
    rig.hear({ kind: "error", terminal: 1, reference: 1, code: 2, text: "Nobody types there." });
    expect(rig.notices()).toEqual(["Nobody types there."]);
    rig.look(2).sent();
    rig.terminals.typed(2, Uint8Array.of(120), false, 1);
    expect(rig.terminals.viewOnly).toBe(false);
    expect(rig.sent()).toMatchObject([{ kind: "input", terminal: 2 }]);
  });
});

describe("opening and closing", () => {
  it("opens one and looks at it, however often the reply is lost", () => {
    const rig = new Rig().meet([info(1)]);
    rig.terminals.open("0a", false);
    rig.terminals.lost();
    rig.sent();
    rig.meet([info(1)]);
    expect(rig.sent()).toContainEqual({ kind: "open", key: "0a", request: size });
    rig.hear({ kind: "terms", terms: [info(1), info(2, { key: "a" })] });
    expect(rig.tabs).toEqual(["shell 1", "*shell 2"]);
    expect(rig.terminals.opening).toBe(false);
  });

  it("opens one in the place of a shell that has ended, which is forgotten", () => {
    const rig = new Rig().meet([info(1), info(2)]).output(1, "one");
    rig.hear({ kind: "exit", terminal: 1, offset: 3, code: 3, signal: 0 }).hear({ kind: "terms", terms: [info(1, { alive: false }), info(2)] });
    rig.terminals.open("0a", true);
    rig.sent();
    rig.hear({ kind: "terms", terms: [info(1, { alive: false }), info(2), info(3, { key: "a" })] });
    expect(rig.tabs).toEqual(["*shell 3", "shell 2"]);
    expect(rig.sent()).toMatchObject([{ kind: "close", terminal: 1 }, { kind: "detach", terminal: 1 }, { kind: "attach", terminal: 3 }]);
    expect(rig.hear({ kind: "terms", terms: [info(2), info(3, { key: "a" })] }).tabs).toEqual(["*shell 3", "shell 2"]);
  });

  it("closes in two steps, as the runtime wants it, and looks at what stands beside", () => {
    const rig = new Rig().meet([info(1), info(2), info(3)]);
    rig.look(2).sent();
    rig.terminals.close(2);
    expect(rig.sent()).toMatchObject([{ kind: "close", terminal: 2 }, { kind: "detach", terminal: 2 }]);
    expect(rig.tabs).toEqual(["shell 1", "shell 2", "*shell 3"]);
    rig.hear({ kind: "terms", terms: [info(1), info(2, { alive: false }), info(3)] });
    expect(rig.sent()).toEqual([{ kind: "close", terminal: 2, signal: 0 }]);
    expect(rig.hear({ kind: "terms", terms: [info(1), info(3)] }).tabs).toEqual(["shell 1", "*shell 3"]);
  });

  it("closes although the word of it was lost with the connection", () => {
    const rig = new Rig().meet([info(1), info(2)]);
    rig.terminals.close(2);
    rig.terminals.lost();
    rig.sent();
    expect(rig.meet([info(1), info(2)]).sent()).toContainEqual({ kind: "close", terminal: 2, signal: 0 });
  });

  it("keeps no name that cannot be given, and says so", () => {
    const rig = new Rig().meet([info(1)]);
    rig.terminals.lost();
    rig.terminals.rename(1, "build");
    expect(rig.notices()).toEqual(["The terminal can be given a name when the connection is back."]);
    expect(rig.tabs).toEqual(["*shell 1"]);
  });

  it("explains that there are as many as there may be", () => {
    const rig = new Rig().meet(Array.from({ length: 16 }, (_, at) => info(at + 1)));
    rig.sent();
    rig.terminals.open("0a", false);
    expect(rig.notices()).toEqual(["This session has 16 terminals, as many as it may have. Close one to open another."]);
    expect(rig.sent()).toEqual([]);
    rig.hear({ kind: "error", terminal: 0, reference: 4, code: 3, text: "no" });
    expect(rig.notices()).toHaveLength(1);
  });

  it("gives names only to a runtime that takes them", () => {
    const rig = new Rig().meet([info(1)]);
    rig.sent();
    rig.terminals.rename(1, "build");
    expect(rig.tabs).toEqual(["*build"]);
    expect(rig.sent()).toEqual([{ kind: "title", terminal: 1, title: "build" }]);
    const old = welcome([info(1)]);
    delete old.commands;
    rig.terminals.welcomed(old);
    rig.sent();
    rig.terminals.rename(1, "other");
    rig.terminals.clear();
    expect(rig.sent()).toEqual([]);
  });
});

describe("a tab that has nothing behind it", () => {
  it("takes no name, is not cleared, and nobody types there alone", () => {
    const rig = new Rig().meet([info(1), info(2)]).output(1, "kept").hear({ kind: "terms", terms: [info(2)] });
    expect(rig.terminals.gone).toBe("closed");
    rig.sent();
    rig.terminals.rename(1, "build");
    rig.terminals.clear();
    rig.terminals.takeBack(true);
    rig.terminals.takeBack(false);
    expect(rig.sent()).toEqual([]);
    expect(rig.tabs).toEqual(["*shell 1 (closed)", "shell 2"]);
  });

  it("shows the new terminal of its number after a restart", () => {
    const rig = new Rig().meet([info(1), info(2)]).output(1, "kept").hear({ kind: "terms", terms: [info(2)] });
    rig.terminals.lost();
    rig.sent();
    rig.meet([info(1)], { epoch: "b2" });
    expect(rig.tabs).toEqual(["*shell 1"]);
    expect(rig.sent()).toMatchObject([{ kind: "attach", terminal: 1, have: undefined, epoch: "b2" }]);
    rig.output(1, "new");
    expect(rig.terminals.stream?.have).toBe(3);
  });
});

describe("another runtime", () => {
  it("has nothing of a tab that was to be closed, and its new shell stays", () => {
    const rig = new Rig().meet([info(1), info(2)]).output(1, "one");
    rig.terminals.close(1);
    rig.terminals.close(2);
    rig.terminals.lost();
    rig.sent();
    rig.meet([info(1), info(2)], { epoch: "b2" });
    expect(rig.sent().filter((frame) => "kind" in frame && frame.kind === "close")).toEqual([]);
    expect(rig.terminals.tabs().map(({ closing }) => closing)).toEqual([false, false]);
  });

  it("leaves what is on screens readable, apart from what comes", () => {
    const rig = new Rig().meet([info(1), info(2), info(3)]).output(1, "one").look(2).output(2, "two");
    rig.terminals.lost();
    rig.effects.splice(0);
    rig.meet([info(1)], { epoch: "b2" });
    expect(rig.tabs).toEqual(["Terminal 1 (restart)", "*shell 1"]);
    expect(rig.effects.filter((effect) => effect.do === "part")).toEqual([{ do: "part", tab: 1 }, { do: "part", tab: 2 }]);
  });
});

describe("sole control", () => {
  it("is taken by another, seen, and taken back", () => {
    const rig = new Rig().meet([info(1)]).output(1, "one");
    rig.hear({ kind: "error", terminal: 1, reference: 5, code: 10, text: "no" });
    expect(rig.terminals.viewOnly).toBe(true);
    rig.sent();
    rig.terminals.typed(1, Uint8Array.of(120), false, 1);
    expect(rig.sent()).toEqual([]);
    rig.terminals.takeBack(false);
    expect(rig.terminals.viewOnly).toBe(false);
    expect(rig.sent()).toMatchObject([{ kind: "attach", terminal: 1, have: 3, role: "alone" }, { kind: "attach", terminal: 1, have: 3, role: "control" }]);
    rig.terminals.takeBack(true);
    expect(rig.sent()).toMatchObject([{ kind: "attach", role: "alone" }]);
  });

  const taken: ServerFrame = { kind: "error", terminal: 1, reference: 5, code: 10, text: "no" };
  const role = (rig: Rig): string | undefined => {
    rig.look(2).sent();
    rig.look(1);
    return rig.sent().flatMap((frame) => ("role" in frame ? [String(frame.role)] : [])).at(-1);
  };
  const two = (): Rig => new Rig().meet([info(1), info(2)]).output(1, "one");

  it("is not taken back by looking at another tab and back", () => {
    const rig = two().hear(taken);
    expect(role(rig)).toBe("view");
    expect(rig.terminals.viewOnly).toBe(true);
  });

  it("is kept while other tabs are looked at, until another takes it, or it is shared again", () => {
    const rig = two();
    rig.terminals.takeBack(true);
    expect(role(rig)).toBe("alone");
    expect(role(rig.hear(taken))).toBe("view");
    rig.terminals.takeBack(false);
    expect(role(rig)).toBe("control");
  });

  it("outlives a lost connection in the runtime: nothing is said again", () => {
    const rig = two();
    rig.terminals.takeBack(true);
    rig.terminals.lost();
    rig.sent();
    rig.terminals.hello();
    rig.terminals.welcomed(welcome([info(1), info(2)]));
    expect(rig.sent()).toMatchObject([{ kind: "ack", terminal: 1 }]);
    expect(role(rig)).toBe("alone");
  });

  it("is not insisted on where another may have taken it, unheard, from a tab out of sight", () => {
    const rig = two();
    rig.terminals.takeBack(true);
    rig.look(2);
    rig.terminals.lost();
    rig.terminals.hello();
    rig.terminals.welcomed(welcome([info(1), info(2)]));
    rig.sent();
    rig.look(1);
    expect(rig.sent()).toMatchObject([{ kind: "detach", terminal: 2 }, { kind: "attach", terminal: 1, role: "control" }]);
  });

  it("of another in one tab leaves the right to type in the others", () => {
    const rig = two().hear(taken).hear({ kind: "error", terminal: 1, reference: 1, code: 2, text: "You only watch this terminal." });
    rig.look(2);
    expect(rig.terminals.viewOnly).toBe(false);
  });

  it("of another is told anew after each connection", () => {
    const rig = two().hear(taken);
    rig.terminals.lost();
    rig.meet([info(1), info(2)]);
    expect(rig.terminals.viewOnly).toBe(false);
    expect(rig.hear(taken).terminals.viewOnly).toBe(true);
    rig.terminals.lost();
    rig.meet([info(1)], { epoch: "b2" });
    expect(rig.terminals.viewOnly).toBe(false);
  });
});
