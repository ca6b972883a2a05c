// What a run told, read page by page: all of it once, and then what comes.

import { useEffect, useMemo, useSyncExternalStore } from "react";
import { append, newest, NOTHING, type Timeline } from "../run/timeline";
import { api, ApiError, type Known } from "./client";
import type { RunMessage } from "./types";

/** How many messages one request asks for: the archive gives no more. */
export const PAGE = 500;

/** A longer timeline loses its oldest entries: a browser holds this many with ease. */
const LONGEST = 20_000;

/** How long the gateway is to wait for something new, in seconds: proxies end what is silent for longer than a minute. */
const PATIENCE = 30;

/** How soon one asks again, in milliseconds: after nothing came, when all has ended (records may still come), after an error. */
const PAUSE = { nothing: 1_000, ended: 10_000, error: 5_000 };

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
  #patience = PATIENCE;
  #asking = new AbortController();
  #wake: () => void = () => undefined;
  readonly #listeners = new Set<() => void>();

  constructor(private readonly run: Known) {}

  get told(): Told {
    return this.#told;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Reads until the signal says stop. */
  async follow(signal: AbortSignal): Promise<void> {
    const stopped = (): boolean => signal.aborted;
    const hidden = (): boolean => document.visibilityState === "hidden";
    const look = (): void => {
      if (stopped() || hidden()) this.#asking.abort();
      this.#wake();
    };
    signal.addEventListener("abort", look);
    document.addEventListener("visibilitychange", look, { signal });
    while (!stopped()) {
      // Nobody asks for a page that nobody sees, nor holds one of the few connections that a browser has for it.
      if (hidden()) {
        await this.#sleep(undefined);
        continue;
      }
      this.#asking = new AbortController();
      try {
        await this.#read(this.#asking.signal);
      } catch (error) {
        if (!this.#asking.signal.aborted) await this.#excuse(error as Error);
      }
    }
  }

  /** Something has changed about the run: there may be news. */
  nudge(ended: boolean): void {
    this.#ended = ended;
    this.#wake();
  }

  async #read(signal: AbortSignal): Promise<void> {
    const wait = this.#told.complete && !this.#ended ? this.#patience : 0;
    const messages = await api.messages(this.run, { after: this.#told.through, limit: PAGE, wait }, signal);
    if (messages.length > 0) {
      this.#take(messages);
      return;
    }
    this.#set({ timeline: this.#timeline, complete: true, error: undefined });
    await this.#sleep(this.#ended ? PAUSE.ended : PAUSE.nothing);
  }

  async #excuse(error: Error): Promise<void> {
    // Too many pages wait: this one asks from time to time instead.
    if (error instanceof ApiError && error.status === 429 && this.#patience > 0) this.#patience = 0;
    else this.#set({ timeline: this.#timeline, error });
    await this.#sleep(PAUSE.error);
  }

  /** Somebody has seen all of it. */
  seen(): void {
    this.#set({ unseen: false });
  }

  #take(messages: RunMessage[]): void {
    const timeline = append(this.#timeline, messages);
    this.#timeline = newest(timeline, LONGEST);
    const unseen = messages.some(({ content, readAt }) => content.metadata.kind === "question" && readAt === undefined);
    const through = messages.at(-1)?.seq ?? this.#told.through;
    const shown = this.#told.complete ? { timeline: this.#timeline } : {};
    this.#set({ ...shown, through, cut: this.#told.cut || this.#timeline !== timeline, unseen: this.#told.unseen || unseen, error: undefined });
  }

  #set(change: Partial<Told>): void {
    const same = (Object.keys(change) as (keyof Told)[]).every((field) => this.#told[field] === change[field]);
    if (same) return;
    this.#told = { ...this.#told, ...change };
    this.#listeners.forEach((listener) => listener());
  }

  async #sleep(milliseconds: number | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = milliseconds === undefined ? undefined : setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

export function useMessages(run: Known & { resourceVersion: string }, ended: boolean): [Told, MessageFeed] {
  const { namespace, name, uid, resourceVersion } = run;
  const feed = useMemo(() => new MessageFeed({ namespace, name, uid }), [namespace, name, uid]);
  useEffect(() => {
    const stop = new AbortController();
    void feed.follow(stop.signal);
    return () => stop.abort();
  }, [feed]);
  useEffect(() => feed.nudge(ended), [feed, ended, resourceVersion]);
  return [useSyncExternalStore(feed.subscribe, () => feed.told), feed];
}

/** All messages of a run, one line of JSON each. Says how many it has read so far. */
export async function journal(run: Known, onProgress: (count: number) => void): Promise<Blob> {
  // A blob for each page: the browser keeps blobs outside of the script's memory.
  const pages: Blob[] = [];
  let after = 0;
  let count = 0;
  for (;;) {
    const messages = await api.messages(run, { after, limit: PAGE });
    const last = messages.at(-1);
    if (last === undefined) return new Blob(pages, { type: "application/x-ndjson" });
    pages.push(new Blob(messages.map((message) => `${JSON.stringify(message)}\n`)));
    after = last.seq;
    count += messages.length;
    onProgress(count);
  }
}
