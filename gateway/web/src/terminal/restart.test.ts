import { expect, it } from "vitest";
import type { Session } from "../api/types";
import { clock } from "../session/time";
import { restartWords } from "./restart";

const LOST = Date.parse("2026-01-01T12:00:00Z");
const NOW = Date.parse("2026-01-01T12:05:00Z");
const RESTARTED = "2026-01-01T12:01:30Z";

const session = (status: NonNullable<Session["status"]>): Session => ({ name: "s", namespace: "n", uid: "u", resourceVersion: "1", createdAt: "2026-01-01T09:00:00Z", spec: {}, status }) as Session;
const failed = (time: string, text: string) => ({ seq: Date.parse(time), time, type: "Failed" as const, text });

it.each<[string, NonNullable<Session["status"]>, string, string]>([
  ["when it became ready", { startedAt: RESTARTED }, RESTARTED, "its pod or its container was replaced."],
  ["now, where it was not seen to start again", { startedAt: "2026-01-01T09:00:00Z" }, new Date(NOW).toISOString(), "its pod or its container was replaced."],
  [
    "by the cause of now, not by one of before",
    { startedAt: RESTARTED, messages: [failed("2026-01-01T09:30:00Z", "Evicted long ago."), failed("2026-01-01T11:59:50Z", "The node was short of memory."), failed("2026-01-01T12:01:00Z", "The clone failed.")] },
    RESTARTED,
    "The node was short of memory.",
  ],
  ["because it was stopped, whatever failed before", { startedAt: RESTARTED, stoppedAt: "2026-01-01T12:00:30Z", messages: [failed("2026-01-01T09:30:00Z", "Evicted long ago.")] }, RESTARTED, "it was stopped, and started again."],
])("a restart is told %s", (_name, status, at, cause) => {
  expect(restartWords(session(status), LOST, NOW)).toBe(`The session was restarted at ${clock(at)}: ${cause}`);
});

it("what failed of an agent's own work is no cause", () => {
  const told = session({ startedAt: RESTARTED, messages: [failed("2026-01-01T11:59:50Z", "grep: x: No such file")] });
  const chat: Session = { ...told, spec: { ...told.spec, mode: "Chat" } };
  expect(restartWords(chat, LOST, NOW)).toContain("its pod or its container was replaced.");
});
