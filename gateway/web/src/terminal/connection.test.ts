import { describe, expect, it } from "vitest";
import { countKeys } from "./connection";
import { BEFORE, type Status } from "./machine";
import { isReport } from "./reports";
import { verdict } from "../link/close-codes";
import { backlogOf, connectionWords, errorWords } from "../link/words";
import { causeWords } from "./connection-words";

const base: Status = { ...BEFORE, link: "live", established: true, active: 1, isShown: true, renames: true };

describe("the connection in words", () => {
  it.each<[Partial<Status>, Parameters<typeof connectionWords>[1], string]>([
    [{}, "ready", "Connected"],
    [{ viewOnly: true }, "ready", "View only"],
    [{ link: "connecting", established: false, attempt: 1 }, "ready", "Connecting"],
    [{ link: "waiting", attempt: 2, retryAt: 7_200 }, "ready", "Reconnecting (attempt 3, 3 s)"],
    [{ link: "connecting", attempt: 3 }, "ready", "Reconnecting (attempt 3, now)"],
    [{ link: "waiting", retryAt: 5_000, keysWaiting: 4 }, "ready", "Reconnecting (attempt 1, 0 s) · 4 keys waiting"],
    [{ link: "waiting", online: false, keysWaiting: 1 }, "ready", "Offline, 1 key waiting"],
    [{ link: "held" }, "stopped", "Session stopped"],
    [{ link: "held" }, "starting", "Session starting"],
    [{ link: "login" }, "ready", "Login needed"],
    [{ link: "halted" }, "ready", "Disconnected"],
  ])("%j of a %s session", (part, state, words) => {
    expect(connectionWords({ ...base, ...part }, state, 5_000, backlogOf(part.keysWaiting ?? 0, "key")).text).toBe(words);
  });
});

describe("what the emulator says by itself", () => {
  it.each(["\x1b[?1;2c", "\x1b[>0;276;0c", "\x1b[12;40R", "\x1b[0n", "\x1b[I", "\x1b[O", "\x1b[<0;10;5M", "\x1b[<0;10;5m", "\x1b[M !!", "\x1b]10;rgb:00/00/00\x1b\\", "\x1b]4;1;rgb:ff/00/00\x07", "\x1bP1$r0m\x1b\\", "\x1b[?2026;2$y", "\x1b[8;24;80t"])(
    "%j is a report",
    (data) => expect(isReport(data)).toBe(true),
  );
  it.each(["a", "ls\r", "\x1b", "\x1b[A", "\x1b[1;5C", "\x1bOP", "\x1b[3~", "\x1b[200~pasted\x1b[201~", "\x1bb"])("%j was typed", (data) => expect(isReport(data)).toBe(false));
});

it.each([
  ["a", 1],
  ["\x1b[A", 1],
  ["é😀", 2],
  ["paste of words", 14],
])("counts %j as %d keys", (data, count) => expect(countKeys(data)).toBe(count));

it("tells why there is no connection, with the other side's own words", () => {
  expect(errorWords(verdict(4403, "", "You may not.").error)).toBe("You may not.");
  expect(errorWords(verdict(4403, "the Origin is missing", "You may not.").error)).toBe("You may not. The other end said: the Origin is missing");
});

it.each([
  ["closed with 1006", "The connection was cut (code 1006)"],
  ["closed with 4503", "The session is not ready (code 4503)"],
  ["ping timeout", "No answer to a ping"],
  ["no answer", "No answer from the gateway"],
])("the cause %j in words", (cause, words) => expect(causeWords(cause)).toBe(words));
