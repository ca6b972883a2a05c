// The one stream of changes a page holds. It writes into the query cache, so every view shows the server's state
// within a second, and says when it is down.

import type { QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { refusal } from "./client";
import { readStream, type StreamEvent } from "./event-stream";
import type { Run, Session } from "./types";

export const SESSIONS = ["sessions"] as const;
export const RUNS = ["runs"] as const;

/** Without the stream a list is asked for again this often. */
export const POLL = 5_000;

const SHORTEST = 500;
const LONGEST = 10_000;

/** Changes that come within this time become one. */
const GATHER = 40;

/** Longer than this they do not wait for a page that is still drawing. */
const LATEST = 1_000;

/** What lists hold, as far as the stream needs to know it. */
interface Listed {
  namespace: string;
  name: string;
  uid: string;
  resourceVersion: string;
}

interface Lists {
  sessions: Session[];
  runs: Run[];
}

type Change = (all: Lists) => Lists;

export type StreamState = "connecting" | "live" | "down";

export class LiveLists {
  #state: StreamState = "connecting";
  #stop = new AbortController();
  #wake: () => void = () => undefined;
  readonly #changes: Change[] = [];
  #flushing: ReturnType<typeof setTimeout> | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(private readonly queries: QueryClient) {}

  get state(): StreamState {
    return this.#state;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  start(): void {
    this.#stop = new AbortController();
    void this.#run(this.#stop.signal);
    for (const event of ["online", "focus", "pageshow"]) window.addEventListener(event, this.#nudge, { signal: this.#stop.signal });
  }

  stop(): void {
    this.#stop.abort();
    this.#wake();
  }

  /** Tries at once, for instance after a login. */
  retry(): void {
    this.#wake();
  }

  readonly #nudge = (): void => this.#wake();

  async #run(signal: AbortSignal): Promise<void> {
    let delay = SHORTEST;
    const stopped = (): boolean => signal.aborted;
    while (!stopped()) {
      try {
        const refused = await readStream("/api/v1/events", signal, () => this.#set("live"), (event) => this.#apply(event));
        if (refused === undefined) delay = SHORTEST;
        else await refusal(refused);
      } catch {
        // Cut or silent: the state below says so, and the loop tries again.
      }
      if (stopped()) return;
      if (this.#state === "live") delay = SHORTEST;
      this.#set("down");
      await this.#sleep(delay * (0.5 + Math.random() / 2));
      delay = Math.min(LONGEST, delay * 2);
    }
  }

  async #sleep(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, milliseconds);
    });
  }

  #apply({ event, data }: StreamEvent): void {
    const change = changeOf(event, data);
    if (change === undefined) return;
    this.#changes.push(change);
    if (this.#flushing === undefined) this.#flushing = setTimeout(() => whenIdle(() => this.#flush()), GATHER);
  }

  /** A thousand changes a second are a few new lists, not a thousand. */
  #flush(): void {
    const changes = this.#changes.splice(0);
    this.#flushing = undefined;
    // A list that was asked for before is older than the stream.
    for (const queryKey of [SESSIONS, RUNS]) void this.queries.cancelQueries({ queryKey });
    const before: Lists = { sessions: this.queries.getQueryData(SESSIONS) ?? [], runs: this.queries.getQueryData(RUNS) ?? [] };
    const after = changes.reduce((lists, change) => change(lists), before);
    // A list that did not change stays the same value, so that nobody draws it again.
    this.queries.setQueryData(SESSIONS, after.sessions);
    this.queries.setQueryData(RUNS, after.runs);
  }

  #set(state: StreamState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#listeners.forEach((listener) => listener());
  }
}

/** A long list is drawn in slices, and a change in the middle of it would begin it anew: on a slow machine for ever. */
function whenIdle(work: () => void): void {
  if ("requestIdleCallback" in window) window.requestIdleCallback(work, { timeout: LATEST });
  else work();
}

function changeOf(event: string, data: string): Change | undefined {
  switch (event) {
    case "snapshot": {
      const lists = JSON.parse(data) as Lists;
      return () => lists;
    }
    case "session": {
      const changed = JSON.parse(data) as Session;
      return (all) => ({ ...all, sessions: upsert(all.sessions, changed) });
    }
    case "run": {
      const changed = JSON.parse(data) as Run;
      return (all) => ({ ...all, runs: upsert(all.runs, changed) });
    }
    case "deleted": {
      const { kind, uid } = JSON.parse(data) as { kind: "Session" | "Run"; uid: string };
      const others = <T extends Listed>(list: T[]): T[] => list.filter((each) => each.uid !== uid);
      return kind === "Run" ? (all) => ({ ...all, runs: others(all.runs) }) : (all) => ({ ...all, sessions: others(all.sessions) });
    }
    default:
      return undefined;
  }
}

/** The list with one object replaced or added. An older version never replaces a newer one. */
export function upsert<T extends Listed>(all: T[], changed: T): T[] {
  const at = all.findIndex((each) => each.namespace === changed.namespace && each.name === changed.name);
  const before = all[at];
  if (before === undefined) return [...all, changed];
  if (before.uid === changed.uid && older(changed.resourceVersion, before.resourceVersion)) return all;
  return all.with(at, changed);
}

/** Resource versions of one kind are numbers that grow; anything else is not compared. */
function older(one: string, other: string): boolean {
  if (!/^\d+$/.test(one) || !/^\d+$/.test(other)) return false;
  return one.length === other.length ? one < other : one.length < other.length;
}

export function useStreamState(live: LiveLists): StreamState {
  return useSyncExternalStore(live.subscribe, () => live.state);
}
