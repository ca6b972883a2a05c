// What stands in a chat's one line of time, and how it gets there. Pure but for the book that is being written.

import type { Audit } from "../components/audit";
import type { MessageState, PhaseStatus } from "./protocol";

interface Base {
  /** The same for as long as it stands there, whatever becomes of it. */
  key: string;
  /** By which later messages find it. */
  id: string;
  seq: number;
  time: string;
}

export type Spoken = Base & { is: "user"; author: string; text: string; state: MessageState };
/** `final` is false while it still comes; `cut` when a part of that was missed. */
export type Said = Base & { is: "said"; thought: boolean; text: string; final: boolean; cut: boolean };
export type Tool = Base & { is: "tool"; name: string; input: string; answer?: { output: string; failed: boolean; durationMs: number | undefined }; audit?: Audit };
/** `last` is the newest record that went into it. */
export type PhaseHead = Base & { is: "phase"; last: number; phase: string; status: PhaseStatus; retry: number; step: string | undefined; message: string | undefined; endedAt: string | undefined };
export type Asked = Base & { is: "question"; questionId: string; kind: string; text: string; options: string[]; answer?: { text: string; by: string | undefined; time: string } };
export type Line = Base & { is: "line"; last: number; mark: string; text: string; durationMs: number | undefined };
export type Trouble = Base & { is: "error"; code: string; text: string; recoverable: boolean };
export type Begun = Base & { is: "begun"; workId: string; autonomy: string; author: string | undefined };
export type Ended = Base & { is: "ended"; exitCode: number; text: string; pullRequest: string | undefined; cost: string };

export type Entry = Spoken | Said | Tool | PhaseHead | Asked | Line | Trouble | Begun | Ended;

/** Entries while messages are put into them: one copy for a whole batch. */
export class Book {
  readonly entries: Entry[];
  readonly #places: Map<string, number>;

  constructor(entries: readonly Entry[], places: ReadonlyMap<string, number>) {
    this.entries = [...entries];
    this.#places = new Map(places);
  }

  get places(): ReadonlyMap<string, number> {
    return this.#places;
  }

  find<K extends Entry["is"]>(id: string, is: K): Extract<Entry, { is: K }> | undefined {
    const at = this.#places.get(id);
    const entry = at === undefined ? undefined : this.entries[at];
    return entry?.is === is ? (entry as Extract<Entry, { is: K }>) : undefined;
  }

  /** In the place of the one that has its key, or at the end. */
  put(entry: Entry): void {
    const at = this.#places.get(entry.id);
    if (at !== undefined && this.entries[at]?.key === entry.key) {
      this.entries[at] = entry;
      return;
    }
    this.#places.set(entry.id, this.entries.length);
    this.entries.push(entry);
  }

  /** Keeps those that are wanted. */
  keep(wanted: (entry: Entry, at: number) => boolean): void {
    const kept = this.entries.filter(wanted);
    if (kept.length === this.entries.length) return;
    this.entries.splice(0, this.entries.length, ...kept);
    this.#places.clear();
    kept.forEach(({ id }, at) => this.#places.set(id, at));
  }
}
