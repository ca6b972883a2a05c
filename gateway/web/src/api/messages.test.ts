import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { journal, MessageFeed, PAGE } from "./messages";
import type { RunMessage } from "./types";

const run = { namespace: "demo", name: "x", uid: "u" };
const message = (seq: number): RunMessage => ({ id: String(seq), sessionId: "u", seq, type: "progress", content: { message: `m${seq}`, metadata: { kind: "said" } }, createdAt: "2026-01-01T00:00:00Z" });
const answer = (status: number, body: object): Response => new Response(JSON.stringify(body), { status });

/** A gateway with so many messages; says what it was asked. */
function gateway(count: number): URLSearchParams[] {
  const asked: URLSearchParams[] = [];
  vi.stubGlobal("fetch", (path: string) => {
    const query = new URL(path, "http://gateway").searchParams;
    asked.push(query);
    const after = Number(query.get("after"));
    const items = Array.from({ length: Math.max(0, Math.min(PAGE, count - after)) }, (_, at) => message(after + at + 1));
    return Promise.resolve(answer(200, { items }));
  });
  return asked;
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a run's messages", () => {
  it("are read whole before they are shown, and then waited for", async () => {
    const asked = gateway(PAGE + 1);
    const stop = new AbortController();
    const feed = new MessageFeed(run);
    const shown: number[] = [];
    feed.subscribe(() => shown.push(feed.told.timeline.entries.length));
    const done = feed.follow(stop.signal);
    await vi.advanceTimersByTimeAsync(0);
    expect(feed.told).toMatchObject({ complete: true, through: PAGE + 1 });
    expect(new Set(shown)).toEqual(new Set([0, PAGE + 1]));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked.map((query) => [query.get("uid"), query.get("after"), query.get("wait")])).toEqual([
      ["u", "0", null],
      ["u", String(PAGE), null],
      ["u", String(PAGE + 1), null],
      ["u", String(PAGE + 1), "30"],
    ]);
    stop.abort();
    await done;
  });

  it("are not asked for by a page that nobody sees, nor held a connection for", async () => {
    const asked = gateway(0);
    const stop = new AbortController();
    const feed = new MessageFeed(run);
    Object.assign(document, { visibilityState: "hidden" });
    const done = feed.follow(stop.signal);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(0);
    Object.assign(document, { visibilityState: "visible" });
    document.dispatchEvent(new Event("visibilitychange"));
    await vi.advanceTimersByTimeAsync(0);
    expect(asked).toHaveLength(1);
    stop.abort();
    await done;
  });

  it("are not waited for once all has ended, or too many wait", async () => {
    const asked = gateway(1);
    const stop = new AbortController();
    const feed = new MessageFeed(run);
    feed.nudge(true);
    const done = feed.follow(stop.signal);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked.some((query) => query.has("wait"))).toBe(false);
    stop.abort();
    await done;

    const waits: boolean[] = [];
    vi.stubGlobal("fetch", (path: string) => {
      const waiting = path.includes("wait=");
      waits.push(waiting);
      return Promise.resolve(waiting ? answer(429, { title: "Too many", detail: "You wait for too many." }) : answer(200, { items: [] }));
    });
    const crowded = new AbortController();
    const other = new MessageFeed(run);
    const end = other.follow(crowded.signal);
    await vi.advanceTimersByTimeAsync(8_000);
    expect(waits.slice(0, 4)).toEqual([false, true, false, false]);
    expect(other.told.error).toBeUndefined();
    crowded.abort();
    await end;
  });

  it("say why they cannot be read", async () => {
    vi.stubGlobal("fetch", () => Promise.resolve(answer(503, { title: "Unavailable", detail: "The database does not answer." })));
    const stop = new AbortController();
    const feed = new MessageFeed(run);
    const done = feed.follow(stop.signal);
    await vi.advanceTimersByTimeAsync(0);
    expect(feed.told.error?.message).toBe("The database does not answer.");
    stop.abort();
    await done;
  });
});

it("a journal is every message on a line of its own", async () => {
  gateway(2 * PAGE + 3);
  const counts: number[] = [];
  const blob = await journal(run, (count) => counts.push(count));
  const lines = (await blob.text()).trimEnd().split("\n");
  expect(lines).toHaveLength(2 * PAGE + 3);
  expect(JSON.parse(lines.at(-1) ?? "")).toEqual(message(2 * PAGE + 3));
  expect(counts).toEqual([PAGE, 2 * PAGE, 2 * PAGE + 3]);
});
