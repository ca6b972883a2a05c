import { describe, expect, it } from "vitest";
import { verdict, type Recovery } from "./close-codes";

const FORBIDDEN = "You may not.";

/** `after_close` of gateway/protocol/src/recovery.rs, line by line. */
function afterClose(code: number): { recoverable: boolean; recovery: Recovery } {
  switch (code) {
    case 4401:
      return { recoverable: true, recovery: "login" };
    case 4404:
    case 4410:
      return { recoverable: false, recovery: "recreate" };
    case 1000:
    case 4409:
      return { recoverable: true, recovery: "button" };
    case 1002:
    case 1003:
    case 1009:
    case 4400:
    case 4403:
      return { recoverable: false, recovery: "button" };
    default:
      return { recoverable: true, recovery: "retry" };
  }
}

it("every code that a socket may be closed with leads where the gateway says it leads", () => {
  const codes = [...Array.from({ length: 16 }, (_, at) => 1000 + at), ...Array.from({ length: 1_000 }, (_, at) => 4000 + at)];
  for (const code of codes) expect(verdict(code, "", FORBIDDEN).error).toMatchObject({ code, ...afterClose(code) });
});

describe("each close code", () => {
  it.each<[number, string, boolean, Recovery, string | undefined]>([
    [1000, "halt", true, "button", "Connect"],
    [1001, "retry", true, "retry", undefined],
    [1002, "halt", false, "button", "Try again"],
    [1003, "halt", false, "button", "Try again"],
    [1006, "retry", true, "retry", undefined],
    [1009, "halt", false, "button", "Try again"],
    [1011, "backOff", true, "retry", undefined],
    [1012, "retry", true, "retry", undefined],
    [4400, "halt", false, "button", "Try again"],
    [4401, "login", true, "login", "Log in"],
    [4403, "halt", false, "button", "Try again"],
    [4404, "halt", false, "recreate", "Try again"],
    [4408, "retry", true, "retry", undefined],
    [4409, "halt", true, "button", "Take back"],
    [4410, "halt", false, "recreate", "Try again"],
    [4429, "wait", true, "retry", undefined],
    [4500, "backOff", true, "retry", undefined],
    [4503, "wait", true, "retry", undefined],
    [4504, "backOff", true, "retry", undefined],
  ])("%d: %s, and one way on", (code, then, recoverable, recovery, button) => {
    const found = verdict(code, "", FORBIDDEN);
    expect(found.then).toBe(then);
    expect(found.error).toMatchObject({ code, recoverable, recovery });
    expect(found.error.why).toMatch(/\.$/);
    expect(found.error.button).toBe(button);
  });

  it("says what a person without the right is told", () => expect(verdict(4403, "", FORBIDDEN).error.why).toBe(FORBIDDEN));
  it("keeps the server's hint", () => expect(verdict(4503, "ra=700 not ready", FORBIDDEN)).toMatchObject({ milliseconds: 700 }));
  it.each([
    ["", undefined],
    ["ra=700", undefined],
    ["ra=700 not ready", "not ready"],
    ["the start steps are not done yet; ra=1000", "the start steps are not done yet"],
    ["the Origin is missing or is not this site", "the Origin is missing or is not this site"],
  ])("keeps of %j what is for people", (reason, said) => {
    for (const code of [1006, 4401, 4403, 4404, 4409, 4503]) expect(verdict(code, reason, FORBIDDEN).error.said).toBe(said);
  });
});
