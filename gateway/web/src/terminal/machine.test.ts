import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { live, Rig, size, text } from "../../test/rig";
import { OFFLINE_CAP } from "./stream";

describe("connecting", () => {
  it("waits for the session, and goes ahead the moment it is ready", () => {
    const rig = new Rig({ session: "waiting" }).send({ type: "start" });
    expect(rig.link).toBe("held");
    expect(rig.machine.deadline()).toBeUndefined();
    rig.send({ type: "session", state: "ready" });
    expect(rig.effects).toEqual([{ do: "connect" }]);
  });

  it("gives up a socket that does not get to WELCOME in time", () => {
    const rig = new Rig().send({ type: "start" }).tick();
    expect(rig.now).toBe(10_000);
    expect(rig.effects.at(-1)).toEqual({ do: "drop" });
    expect(rig.link).toBe("waiting");
  });

  it("retries at once after a loss, and says why and how long it was away", () => {
    const rig = live();
    rig.now = 60_000;
    rig.cut();
    expect(rig.machine.deadline()).toBe(60_050);
    rig.tick().take();
    rig.now += 25;
    rig.open();
    expect(rig.effects[0]).toMatchObject({ frame: { hello: { cause: "closed with 1006", attempts: 1, down_ms: 75, epoch: "a1" } } });
  });

  it("opens the breaker after five failures, and a nudge still tries at once", () => {
    const rig = new Rig().send({ type: "start" });
    for (let failure = 0; failure < 5; failure += 1) rig.cut().tick();
    rig.take();
    rig.cut();
    expect((rig.machine.deadline() ?? 0) - rig.now).toBe(20_000);
    rig.send({ type: "nudge" });
    expect(rig.take()).toEqual([{ do: "connect" }]);
  });

  it("does not probe for nobody", () => {
    const rig = new Rig().send({ type: "start" });
    for (let failure = 0; failure < 5; failure += 1) rig.cut().tick();
    rig.cut().send({ type: "visible", visible: false }).take();
    expect(rig.tick().take()).toEqual([]);
    expect(rig.send({ type: "visible", visible: true }).take()).toEqual([{ do: "connect" }]);
  });

  it.each([1001, 1006, 1011, 1012, 4408, 4500, 4503, 4504])("tries again after %d", (code) => {
    expect(live().cut(code).tick().effects.at(-1)).toEqual({ do: "connect" });
  });

  it.each([1000, 1002, 1003, 1009, 4400, 4403, 4409, 4410])("stops after %d and says why, until it is told to go on", (code) => {
    const rig = live().cut(code);
    expect(rig.link).toBe("halted");
    expect(rig.machine.status().error?.why).toMatch(/\.$/);
    expect(rig.machine.deadline()).toBeUndefined();
    expect(rig.send({ type: "nudge" }).link).toBe("halted");
    expect(rig.send({ type: "retry" }).effects.at(-1)).toEqual({ do: "connect" });
  });

  it("believes that there is no session only when it hears it three times", () => {
    const rig = new Rig().send({ type: "start" }).cut(4404).tick().cut(4404).tick();
    expect(rig.link).toBe("connecting");
    expect(rig.cut(4404).link).toBe("halted");
  });

  it("keeps the server's hint", () => {
    const rig = live().cut(4503, "ra=700 not ready");
    expect(rig.machine.deadline()).toBe(1_200);
  });

  it("asks for a login once, and goes on after it", () => {
    const rig = live().cut(4401);
    expect(rig.effects.at(-1)).toEqual({ do: "login" });
    expect(rig.send({ type: "nudge" }).link).toBe("login");
    expect(rig.send({ type: "loggedIn" }).link).toBe("connecting");
  });

  it("stays away from a session that has stopped", () => {
    const rig = live().send({ type: "session", state: "stopped" });
    expect(rig.link).toBe("live");
    expect(rig.cut().link).toBe("held");
    expect(rig.machine.deadline()).toBeUndefined();
  });
});

describe("liveness", () => {
  it("pings every 15 s and replaces a socket that is silent for 5 s", () => {
    const rig = live().parseAll().tick().tick().deliver();
    expect(rig.now).toBe(500);
    rig.tick();
    expect(rig.now).toBe(15_500);
    rig.wire = [];
    rig.tick();
    expect(rig.now).toBe(20_500);
    expect(rig.link).toBe("waiting");
  });

  it("pings a hidden page once a minute and says that it is hidden", () => {
    const rig = live({ visible: false }).parseAll().tick().tick().deliver();
    rig.take();
    rig.tick();
    expect(rig.now).toBe(60_500);
    expect(rig.take()).toEqual([{ do: "send", frame: { kind: "ping", visible: false, micros: 60_500_000 } }]);
  });

  it("has less patience when something hints at a dead line", () => {
    const rig = live().parseAll();
    rig.now = 100;
    rig.send({ type: "network", online: true });
    rig.wire = [];
    while (rig.link === "live") rig.tick();
    expect(rig.now).toBe(1_600);
  });
});

describe("output", () => {
  it("resumes at the byte it has", () => {
    const rig = live().print("one ").deliver();
    rig.cut().print("two ").tick().open();
    expect(text(rig.screen)).toBe("one two ");
    expect(rig.effects.filter((effect) => effect.do === "reset")).toHaveLength(1);
  });

  it("starts afresh when what it has is gone", () => {
    const rig = live().print("one ").deliver().cut().print("two three");
    rig.pod.tail = 8;
    rig.tick().open();
    expect(text(rig.screen)).toBe("three");
  });

  it("starts afresh after a restart of the runtime, and says that keys were lost", () => {
    const rig = live().print("one ").deliver().cut().type("ls\r");
    rig.pod.restart("b2");
    rig.print("new $ ").tick().open();
    expect(text(rig.screen)).toBe("new $ ");
    expect(rig.pod.typed).toEqual([]);
    expect(rig.effects).toContainEqual({ do: "notice", text: "The session was restarted: 3 keys typed meanwhile could not be delivered and were discarded." });
  });

  it("acknowledges what was parsed, by size or after 50 ms", () => {
    const rig = live().parseAll().tick();
    rig.take();
    rig.print("x".repeat(40_000)).deliver().parseAll();
    expect(rig.take()).toContainEqual({ do: "send", frame: { kind: "ack", terminal: 1, offset: 40_000 } });
    rig.print("y").deliver().parseAll();
    expect(rig.take().some((effect) => effect.do === "send")).toBe(false);
    rig.tick();
    expect(rig.take()).toContainEqual({ do: "send", frame: { kind: "ack", terminal: 1, offset: 40_001 } });
  });
});

describe("input", () => {
  it("keeps keys while offline, counts them, and delivers them once", () => {
    const rig = live().type("a").deliver().cut().type("bc");
    expect(rig.machine.status().keysWaiting).toBe(2);
    rig.tick().open();
    expect(text(rig.pod.typed)).toBe("abc");
    expect(rig.machine.status().keysWaiting).toBe(0);
  });

  it("discards waiting keys when told so", () => {
    const rig = live().cut().type("rm -rf").send({ type: "discard" }).tick().open();
    expect(rig.pod.typed).toEqual([]);
  });

  it("refuses more than the cap while offline, and says so", () => {
    const rig = live().cut().type("x".repeat(OFFLINE_CAP));
    rig.take();
    rig.type("y");
    expect(rig.take()).toEqual([{ do: "notice", text: expect.stringContaining("64 KiB") as string }]);
  });

  it("comes back by itself where the runtime misses some, and says them again", () => {
    const rig = live().type("a").deliver();
    rig.take();
    rig.pod.forgets = true;
    rig.type("bc").deliver();
    expect(rig.take()).toContainEqual({ do: "drop" });
    expect(rig.link).toBe("waiting");
    rig.tick().take();
    rig.pod.forgets = false;
    rig.open();
    expect(rig.take()[0]).toMatchObject({ frame: { hello: { cause: "input gap" } } });
    expect(text(rig.pod.typed)).toBe("abc");
    expect(rig.machine.status().keysWaiting).toBe(0);
  });

  it("lets no more than 64 KiB of a paste wait for a program that does not read, and stays connected, whatever is cut", () => {
    const rig = live();
    rig.pod.reads = false;
    rig.type("x".repeat(1024 * 1024)).cut().tick().open();
    const began = rig.now;
    while (rig.now < began + 60_000) {
      rig.tick().deliver().parseAll();
      expect(rig.link).toBe("live");
    }
    expect(rig.pod.pending).toBe(64 * 1024);
  });

  it("drops the emulator's answers to what a snapshot replays", () => {
    const rig = new Rig();
    rig.pod.print(new TextEncoder().encode("\x1b[c"));
    rig.pod.inSnapshot = true;
    rig.send({ type: "start" }).open().type("\x1b[?1;2c", true);
    expect(rig.pod.typed).toEqual([]);
  });

  it("drops the emulator's answers to a replay, and passes later ones", () => {
    const rig = new Rig().print("\x1b[c").send({ type: "start" }).open().type("\x1b[?1;2c", true);
    expect(rig.pod.typed).toEqual([]);
    rig.parseAll().type("\x1b[?1;2c", true);
    expect(text(rig.pod.typed)).toBe("\x1b[?1;2c");
  });

  it("sends nothing from a viewer", () => {
    const rig = new Rig();
    rig.pod.role = "view";
    rig.send({ type: "start" }).open().type("x");
    expect(rig.pod.typed).toEqual([]);
    expect(rig.machine.status().viewOnly).toBe(true);
  });
});

describe("shells", () => {
  const ended = (): Rig => live().send({ type: "frame", frame: { kind: "exit", terminal: 1, offset: 0, code: 3, signal: 0 } });
  const frames = (rig: Rig): string[] => rig.take().flatMap((effect) => (effect.do === "send" ? [effect.frame.kind] : []));

  it("shows the end of one and moves to a new one, however often the reply is lost", () => {
    const rig = ended();
    expect(rig.machine.status().exit).toEqual({ code: 3, signal: 0 });
    rig.send({ type: "open", key: "0f", inPlace: true }).cut().tick().take();
    rig.open();
    expect(rig.take()).toContainEqual({ do: "send", frame: { kind: "open", key: "0f", request: size } });
    rig.send({ type: "frame", frame: { kind: "terms", terms: [{ ...rig.pod.info(), id: 2, key: "f" }] } });
    expect(frames(rig)).toEqual(["detach", "attach"]);
    expect(rig.machine.status()).toMatchObject({ exit: undefined, opening: false });
  });

  it("does not take a new shell of the same number for the old one", () => {
    const rig = live().print("old shell").deliver();
    rig.cut().type("typed for the old one");
    rig.pod.key = "0f";
    rig.tick().open();
    expect(frames(rig)).toContain("attach");
    expect(rig.pod.typed).toEqual([]);
    // What was on its way for the old offsets is not shown as the new shell's.
    rig.send({ type: "frame", frame: { kind: "output", terminal: 1, offset: 9, bytes: new Uint8Array([120]) } });
    expect(text(rig.screen)).toBe("old shell");
  });

  it("follows when another window opens a shell in the place of one that ended", () => {
    const rig = ended();
    rig.take();
    rig.send({ type: "frame", frame: { kind: "terms", terms: [{ ...rig.pod.info(), key: "0f" }] } });
    expect(frames(rig)).toEqual(["attach"]);
    expect(rig.machine.status().exit).toBeUndefined();
  });
});

it("loses and doubles nothing, in either direction, whatever happens to the line", () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ print: fc.string({ minLength: 1, maxLength: 30 }) }) },
    { weight: 4, arbitrary: fc.record({ type: fc.string({ minLength: 1, maxLength: 30 }) }) },
    { weight: 3, arbitrary: fc.record({ deliver: fc.nat({ max: 4 }) }) },
    { weight: 2, arbitrary: fc.constant({ cut: true as const }) },
    { weight: 2, arbitrary: fc.constant({ connect: true as const }) },
    { weight: 2, arbitrary: fc.constant({ parse: true as const }) },
    { weight: 1, arbitrary: fc.constant({ nudge: true as const }) },
    { weight: 1, arbitrary: fc.constant({ tick: true as const }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const rig = live();
      let typed = "";
      const connect = (): void => {
        while (rig.link === "waiting") rig.tick();
        if (rig.link === "connecting") rig.open();
      };
      for (const each of steps) {
        if ("print" in each) rig.print(each.print);
        else if ("type" in each) {
          typed += each.type;
          rig.type(each.type);
        } else if ("deliver" in each) rig.deliver(each.deliver);
        else if ("cut" in each) {
          if (rig.connected) rig.cut();
        }
        else if ("connect" in each) connect();
        else if ("parse" in each) rig.parseAll();
        else if ("nudge" in each) rig.send({ type: "nudge" });
        else rig.tick();
      }
      if (rig.connected) rig.deliver();
      connect();
      rig.deliver();
      expect(rig.screen).toEqual(rig.pod.output);
      expect(text(rig.pod.typed)).toBe(new TextDecoder().decode(new TextEncoder().encode(typed)));
    }),
    { numRuns: 300 },
  );
});
