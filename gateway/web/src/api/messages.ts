// What a run told, read page by page: all of it once, and then what comes.

import { useEffect, useMemo, useSyncExternalStore } from "react";
import { append, newest, NOTHING, type Timeline } from "../run/timeline";
import { api, type Key } from "./client";
import type { Message, Recorded } from "./types";

/** How many messages one request asks for: the archive gives no more. */
export const PAGE = 500;

/** A longer timeline loses its oldest entries: a browser holds this many with ease. */
const LONGEST = 20_000;

/** How soon one asks for what is new: while work goes on, after its end (records may still come), after an error. */
const PACE = { live: 1_000, ended: 10_000, refused: 5_000 };

export interface Told {
  timeline: Timeline;
  /** The `seq` of the newest message; 0 before the first one. */
  through: number;
  /** Whether all has been read that there was. */
  complete: boolean;
  /** Whether some of it was dropped, for there is too much. */
  cut: boolean;
  /** Questions that nobody has seen on a page yet. */
  unseen: boolean;
  error: Error | undefined;
}

const NONE: Told = { timeline: NOTHING, through: 0, complete: false, cut: false, unseen: false, error: undefined };

export class MessageFeed {
  #told = NONE;
  /** All of it; what is told lags behind while there is more to read, so that nobody draws it page by page. */
  #timeline = NOTHING;
  #ended = false;
  #wake: () => void = () => undefined;
  readonly #listeners = new Set<() => void>();

  constructor(private readonly run: Key) {}

  get told(): Told {
    return this.#told;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Reads until the signal says stop. */
  async follow(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wake();
    signal.addEventListener("abort", wake);
    document.addEventListener("visibilitychange", wake, { signal });
    const stopped = (): boolean => signal.aborted;
    while (!stopped()) {
      try {
        const messages = await api.messages(this.run, this.#told.through, PAGE);
        if (stopped()) return;
        if (messages.length > 0) {
          this.#take(messages);
          continue;
        }
        this.#set({ timeline: this.#timeline, complete: true, error: undefined });
        await this.#sleep(this.#ended ? PACE.ended : PACE.live);
      } catch (error) {
        this.#set({ timeline: this.#timeline, error: error as Error });
        await this.#sleep(PACE.refused);
      }
    }
  }

  /** Something has changed about the run: there may be news. */
  nudge(ended: boolean): void {
    this.#ended = ended;
    this.#wake();
  }

  /** Somebody has seen all of it. */
  seen(): void {
    this.#set({ unseen: false });
  }

  #take(messages: (Message | Recorded)[]): void {
    const timeline = append(this.#timeline, messages);
    this.#timeline = newest(timeline, LONGEST);
    const unseen = messages.some((message) => "content" in message && message.type === "escalation" && !message.readAt);
    const through = messages.at(-1)?.seq ?? this.#told.through;
    this.#set({ through, cut: this.#told.cut || this.#timeline !== timeline, unseen: this.#told.unseen || unseen, error: undefined });
  }

  #set(change: Partial<Told>): void {
    const same = (Object.keys(change) as (keyof Told)[]).every((field) => this.#told[field] === change[field]);
    if (same) return;
    this.#told = { ...this.#told, ...change };
    this.#listeners.forEach((listener) => listener());
  }

  /** Nobody asks for a page that nobody sees. */
  async #sleep(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => document.visibilityState === "visible" && resolve(), milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

export function useMessages(run: Key & { uid: string; resourceVersion: string }, ended: boolean): [Told, MessageFeed] {
  const { namespace, name, uid, resourceVersion } = run;
  // A name that is used again is another run.
  const feed = useMemo(() => new MessageFeed({ namespace, name }), [namespace, name, uid]); // eslint-disable-line react-hooks/exhaustive-deps
  useEffect(() => {
    const stop = new AbortController();
    void feed.follow(stop.signal);
    return () => stop.abort();
  }, [feed]);
  useEffect(() => feed.nudge(ended), [feed, ended, resourceVersion]);
  return [useSyncExternalStore(feed.subscribe, () => feed.told), feed];
}

/** All messages of a run, one line of JSON each. Says how many it has read so far. */
export async function journal(run: Key, onProgress: (count: number) => void): Promise<Blob> {
  // A blob for each page: the browser keeps blobs outside of the script's memory.
  const pages: Blob[] = [];
  let after = 0;
  let count = 0;
  for (;;) {
    const messages = await api.messages(run, after, PAGE);
    const last = messages.at(-1);
    if (last === undefined) return new Blob(pages, { type: "application/x-ndjson" });
    pages.push(new Blob(messages.map((message) => `${JSON.stringify(message)}\n`)));
    after = last.seq;
    count += messages.length;
    onProgress(count);
  }
}
