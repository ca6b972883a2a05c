import { Terminal } from "@xterm/headless";
import { expect, it } from "vitest";
import { placesAt } from "./file-links";

it.each<[string, string, number, [number, number], [number, number]]>([
  ["behind plain text", "at src/a.rs:1", 1, [4, 1], [13, 1]],
  ["behind wide characters", "\u5931\u6557 a/b.rs:7", 1, [6, 1], [13, 1]],
  ["behind what is two units of one character", "\u{1f600} a/b.rs:7", 1, [3, 1], [10, 1]],
  ["begun in the row above", `${"-".repeat(15)} src/main.rs:12`, 2, [17, 1], [10, 2]],
  ["going on in the row below", `${"-".repeat(15)} src/main.rs:12`, 1, [17, 1], [10, 2]],
])("a place %s is where it stands", async (_name, printed, row, [startX, startY], [endX, endY]) => {
  const terminal = new Terminal({ cols: 20, rows: 5, allowProposedApi: true });
  await new Promise<void>((resolve) => terminal.write(printed, resolve));
  expect(placesAt(terminal.buffer.active, row).map(({ range }) => range)).toEqual([{ start: { x: startX, y: startY }, end: { x: endX, y: endY } }]);
  terminal.dispose();
});
