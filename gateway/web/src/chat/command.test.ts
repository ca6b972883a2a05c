import { expect, it } from "vitest";
import { commandOf, headOf } from "./command";

it.each([
  ["Bash", "npm test -- rounding", "npm test -- rounding"],
  ["Bash", " cat <<END\r\nä\tb\nEND\n", "cat <<END\nä\tb\nEND"],
  ["Read", "npm test", undefined],
  ["Bash", "  \n", undefined],
  ["Bash", "x".repeat(4_097), undefined],
  ["Bash", "echo long… (cut)", undefined],
  ["Bash", "echo \x1b[201~; rm x", undefined],
  ["Bash", "echo one\rrm x", undefined],
  ["Bash", "echo \u202egnp.exe", undefined],
  ["Bash", "echo \u200bhidden", undefined],
])("of %s %j is %j", (name, input, expected) => {
  expect(commandOf({ name, input })).toBe(expected);
});

it.each([
  ["Bash", "toolu_01AbCdEf", "[AbCdEf] $ "],
  ["Bash", "toolu_fake_23_0", "[ake230] $ "],
  ["Read", "toolu_01AbCdEf", undefined],
])("of %s %s the line begins with %j", (name, id, expected) => {
  expect(headOf({ name, id })).toBe(expected);
});
