import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { earliest, Link, type LinkEvent, type SessionState } from "./link";
import { TRIES } from "./retry";

/** Codes that end a socket, and such as mean that only the user can go on. */
const CODES = [1000, 1001, 1002, 1003, 1006, 1009, 1011, 1012, 4400, 4401, 4403, 4404, 4408, 4409, 4410, 4429, 4500, 4503, 4504];

/** How the server takes an attempt: `stops` once the socket is open, without a word. */
type Server = "well" | "silent" | "stops" | "mute" | "refuses" | { code: number; reason: string };

/** A page's link with the one socket that it may have, and a server that behaves as it is told. */
class World {
  now = 0;
  server: Server = "well";
  /** Sockets that were opened and neither closed nor let go. */
  sockets = 0;
  most = 0;
  session: SessionState = "ready";
  /** When the page tried of its own accord. */
  readonly tries: number[] = [];
  readonly link: Link;
  #byHand = false;
  #opened = false;
  #answers = true;

  constructor(random: () => number) {
    this.link = new Link(
      { visible: true, online: true, session: "ready", random },
      { greet: () => (this.#opened = true), ping: () => (this.#answers = this.server !== "mute"), lost: () => undefined, forbidden: "No." },
      (effect) => {
        if (effect.do === "drop") this.sockets = 0;
        if (effect.do !== "connect") return;
        this.sockets += 1;
        this.most = Math.max(this.most, this.sockets);
        this.#opened = false;
        this.#answers = true;
        if (!this.#byHand) this.tries.push(this.now);
      },
    );
  }

  send(event: LinkEvent, byHand = false): void {
    this.#byHand = byHand;
    this.link.handle(event, this.now);
    this.#byHand = false;
  }

  /** The server does its part, once. */
  react(): void {
    const { link } = this.link.status();
    if (link === "connecting") {
      if (this.server === "well" || this.server === "mute") {
        this.send({ type: "opened" });
        this.link.welcomed(this.now);
      } else if (this.server === "refuses") this.close(1006, "");
      else if (this.server === "stops") this.send({ type: "opened" });
      else if (this.server !== "silent") {
        this.send({ type: "opened" });
        this.close(this.server.code, this.server.reason);
      }
    } else if (link === "live" && this.#opened && this.#answers) this.link.heard();
  }

  close(code: number, reason: string): void {
    if (this.sockets === 0) return;
    this.sockets = 0;
    this.send({ type: "closed", code, reason });
  }

  /** Lets time pass, with the page's own timers in it. */
  pass(milliseconds: number): void {
    const until = this.now + milliseconds;
    for (;;) {
      this.react();
      const at = earliest(this.link.deadlines());
      if (at === undefined || at > until) break;
      this.now = Math.max(this.now, at);
      this.send({ type: "tick" });
    }
    this.now = until;
    this.send({ type: "tick" });
    this.react();
  }
}

const server = fc.oneof(
  fc.constantFrom<Server>("well", "silent", "stops", "mute", "refuses"),
  fc.record({ code: fc.constantFrom(...CODES), reason: fc.constantFrom("", "ra=0", "ra=700 not ready", "ra=9999999") }),
);

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ server }) },
  { weight: 6, arbitrary: fc.record({ pass: fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 30_000 })) }) },
  // The machine sleeps: no timer runs meanwhile.
  { weight: 1, arbitrary: fc.record({ sleep: fc.nat({ max: 3_600_000 }) }) },
  { weight: 3, arbitrary: fc.record({ close: fc.constantFrom(...CODES) }) },
  { weight: 4, arbitrary: fc.constantFrom<LinkEvent>({ type: "nudge" }, { type: "network", online: true }, { type: "network", online: false }, { type: "visible", visible: true }, { type: "visible", visible: false }, { type: "garbled" }) },
  { weight: 2, arbitrary: fc.record({ session: fc.constantFrom<SessionState>("ready", "waiting", "stopped") }) },
  { weight: 1, arbitrary: fc.constantFrom<LinkEvent>({ type: "retry" }, { type: "loggedIn" }) },
);

function play(world: World, each: unknown): void {
  const one = each as { server?: Server; pass?: number; sleep?: number; close?: number; session?: SessionState; type?: LinkEvent["type"] };
  if (one.server !== undefined) world.server = one.server;
  else if (one.pass !== undefined) world.pass(one.pass);
  else if (one.sleep !== undefined) {
    world.now += one.sleep;
    world.send({ type: "tick" });
  } else if (one.close !== undefined) world.close(one.close, "");
  else if (one.session !== undefined) world.send({ type: "session", state: (world.session = one.session) });
  else if (one.type !== "garbled" || world.sockets > 0) world.send(each as LinkEvent, one.type === "retry" || one.type === "loggedIn");
}

/** The most tries in any minute. */
function busiestMinute(tries: number[]): number {
  return Math.max(0, ...tries.map((from, at) => tries.slice(at).filter((each) => each < from + 60_000).length));
}

describe("whatever happens to a link", { timeout: 60_000 }, () => {
  const scenario = [fc.array(step, { maxLength: 60 }), fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }))] as const;

  it("there is at most one socket, tries are bounded, and it converges when the server is well", () => {
    fc.assert(
      fc.property(...scenario, (steps, dice) => {
        const world = new World(() => dice.next().value as number);
        world.send({ type: "start" });
        steps.forEach((each) => play(world, each));
        expect(world.most).toBeLessThanOrEqual(1);
        expect(busiestMinute(world.tries)).toBeLessThanOrEqual(TRIES);

        world.server = "well";
        world.send({ type: "network", online: true });
        world.send({ type: "visible", visible: true });
        world.send({ type: "session", state: "ready" });
        const { link } = world.link.status();
        if (link === "login") world.send({ type: "loggedIn" }, true);
        if (link === "halted") world.send({ type: "retry" }, true);
        // A hint of the server may be five minutes long, but a look at the page does not wait for it.
        world.pass(70_000);
        expect(world.link.status().link).toBe("live");
        expect(world.most).toBeLessThanOrEqual(1);
        expect(world.link.status().error).toBeUndefined();
      }),
      { numRuns: 1_000 },
    );
  });

  it("a flapping focus before a server that closes at once stays within its tries", () => {
    const world = new World(() => 0);
    world.server = { code: 1006, reason: "" };
    world.send({ type: "start" });
    for (let at = 0; at < 3_000; at += 1) {
      world.pass(100);
      world.send({ type: "nudge" });
    }
    expect(busiestMinute(world.tries)).toBe(TRIES);
  });
});

describe("the breaker", () => {
  it("is closed, opens at the fifth failure, is half open while it probes, and closes at WELCOME", () => {
    const world = new World(() => 0.5);
    world.server = "refuses";
    world.send({ type: "start" });
    expect(world.link.status().breaker).toBe("closed");
    world.pass(10_000);
    expect(world.link.status()).toMatchObject({ link: "waiting", breaker: "open" });
    const before = world.tries.length;
    world.pass(60_000);
    expect(world.tries.length - before).toBe(3);
    world.server = "silent";
    world.pass(20_000);
    expect(world.link.status()).toMatchObject({ link: "connecting", breaker: "halfOpen" });
    world.server = "well";
    world.react();
    expect(world.link.status()).toMatchObject({ link: "live", breaker: "closed", attempt: 0 });
  });

  it("tells the last loss once it is mended", () => {
    const world = new World(() => 0.5);
    world.send({ type: "start" });
    world.react();
    world.pass(40_000);
    world.close(4408, "");
    world.pass(1_000);
    expect(world.link.status()).toMatchObject({ link: "live", loss: { cause: "closed with 4408", attempts: 1, milliseconds: 50 } });
  });
});
