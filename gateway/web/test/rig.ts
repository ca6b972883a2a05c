// A machine and the model of a pod with a line between them: tests say what happens, and look at what came of it.

import type { ServerFrame } from "../src/terminal/kterm";
import { Machine, type Effect, type Event, type Options } from "../src/terminal/machine";
import { ModelPod } from "./model-pod";

export const size = { cols: 80, rows: 24 };
export const text = (bytes: number[]): string => new TextDecoder().decode(Uint8Array.from(bytes));

/** A machine, a pod, and a line between them that can be cut. */
export class Rig {
  now = 0;
  readonly pod = new ModelPod();
  readonly machine: Machine;
  readonly effects: Effect[] = [];
  screen: number[] = [];
  /** How often what is on the screen was set apart from what follows. */
  parted = 0;
  connected = false;
  /** Frames of the pod that have not arrived. */
  wire: ServerFrame[] = [];
  #parse: { tab: number; end: number; generation: number }[] = [];

  constructor(options: Partial<Options> = {}) {
    this.machine = new Machine({ clientId: "c", size, remembered: { order: [], active: undefined }, visible: true, online: true, session: "ready", random: () => 0.5, ...options });
  }

  send(event: Event): this {
    for (const effect of this.machine.handle(event, this.now)) {
      this.effects.push(effect);
      if (effect.do === "send" && this.connected) this.wire.push(...this.pod.answer(effect.frame));
      else if (effect.do === "drop") this.#unplug();
      else if (effect.do === "reset") this.screen = [];
      else if (effect.do === "part") this.parted += 1;
      else if (effect.do === "write") {
        this.screen.push(...effect.bytes);
        this.#parse.push(effect);
      }
    }
    return this;
  }

  open(room = size): this {
    this.connected = true;
    this.send({ type: "show", tab: 1, size: room });
    return this.send({ type: "opened" }).deliver();
  }

  deliver(count = Number.POSITIVE_INFINITY): this {
    for (let left = count; left > 0; left -= 1) {
      const frame = this.wire.shift();
      if (frame === undefined) break;
      this.send({ type: "frame", frame });
    }
    return this;
  }

  parseAll(): this {
    for (const { tab, end, generation } of this.#parse.splice(0)) this.send({ type: "parsed", tab, end, generation });
    return this;
  }

  cut(code = 1006, reason = ""): this {
    this.#unplug();
    return this.send({ type: "closed", code, reason });
  }

  /** Goes to the next deadline. */
  tick(): this {
    this.now = Math.max(this.now, this.machine.deadline() ?? this.now);
    return this.send({ type: "tick" });
  }

  type(keys: string, auto = false): this {
    return this.send({ type: "input", tab: 1, bytes: new TextEncoder().encode(keys), auto, keys: keys.length });
  }

  print(output: string): this {
    const frame = this.pod.print(new TextEncoder().encode(output));
    if (this.connected) this.wire.push(frame);
    return this;
  }

  take(): Effect[] {
    return this.effects.splice(0);
  }

  get link(): string {
    return this.machine.status().link;
  }

  #unplug(): void {
    this.connected = false;
    this.wire = [];
  }
}

export const live = (options: Partial<Options> = {}): Rig => new Rig(options).send({ type: "start" }).open();
