// Whether two streams lead xterm.js to the same screen, cursor and modes. Arguments: two files.
import { readFileSync } from "node:fs";
import headless from "@xterm/headless";

const [cols, rows] = [80, 24];
const [one, other] = process.argv.slice(2).map((file) => state(readFileSync(file)));
const different = one.findIndex((line, at) => line !== other[at]);
if (different >= 0) console.log(`  part ${different} differs:\n  ${one[different]}\n  ${other[different]}`);
process.exit(different < 0 ? 0 : 1);

function state(bytes) {
  const core = new headless.Terminal({ cols, rows, scrollback: 0, allowProposedApi: true })._core;
  // In pieces: it parses at most so much at once.
  for (let at = 0; at < bytes.length; at += 65536) core.writeSync(bytes.subarray(at, at + 65536));
  const { buffer } = core;
  const lines = [];
  for (let y = 0; y < rows; y++) lines.push(line(buffer.lines.get(buffer.ybase + y)));
  const { modes, decPrivateModes } = core.coreService;
  lines.push(JSON.stringify([buffer.x, buffer.y, buffer.scrollTop, buffer.scrollBottom, buffer === core.buffers.alt]));
  lines.push(JSON.stringify([modes, decPrivateModes, core.coreMouseService.activeProtocol, core.coreMouseService.activeEncoding, core.coreService.isCursorHidden]));
  return lines;
}

function line(row) {
  const cells = [];
  for (let x = 0; x < cols; x++) {
    const cell = row.loadCell(x, { extended: undefined, combinedData: "" });
    // A space and nothing look the same.
    const text = cell.content & 0x200000 ? row._combined[x] : String.fromCodePoint(cell.content & 0x1fffff || 32);
    cells.push(`${text}${cell.content >> 22}/${cell.fg.toString(16)}/${(cell.bg & ~0x10000000).toString(16)}`);
  }
  return cells.join(" ");
}
