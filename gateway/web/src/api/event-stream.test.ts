import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventParser } from "./event-stream";
import { upsert } from "./live";
import type { Session } from "./types";

const stream = ": ping\n\nevent: snapshot\ndata: {\"items\":[]}\n\nretry: 2000\n\nevent: session\r\ndata: one\r\ndata: two\r\n\r\nevent: deleted\ndata: unfinished";

describe("EventParser", () => {
  it("reads events, joins their data, and leaves comments out", () => {
    expect(new EventParser().push(stream)).toEqual([
      { event: "snapshot", data: '{"items":[]}' },
      { event: "session", data: "one\ntwo" },
    ]);
  });

  it("does not care where the stream is cut", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: stream.length })), (cuts) => {
        const parser = new EventParser();
        const places = [0, ...cuts.toSorted((one, other) => one - other), stream.length];
        const events = places.slice(1).flatMap((end, index) => parser.push(stream.slice(places[index], end)));
        expect(events).toEqual(new EventParser().push(stream));
      }),
    );
  });
});

describe("upsert", () => {
  const session = (name: string, resourceVersion: string, uid = "u"): Session => ({ namespace: "demo", name, uid, createdAt: "", generation: 1, resourceVersion, spec: {} });

  it("adds, replaces, and never goes back", () => {
    expect(upsert([], session("a", "1"))).toHaveLength(1);
    expect(upsert([session("a", "9")], session("a", "10"))[0]?.resourceVersion).toBe("10");
    expect(upsert([session("a", "10")], session("a", "9"))[0]?.resourceVersion).toBe("10");
    expect(upsert([session("a", "10", "old")], session("a", "9", "new"))[0]?.uid).toBe("new");
  });
});
