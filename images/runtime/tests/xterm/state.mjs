// The emulator that our pages use, and everything in it that a snapshot has to tell.
import { createRequire } from "node:module";

// Terminals of this size, and what state one is in: an array of texts.
export function emulator(modules, cols, rows) {
  const { Terminal } = createRequire(`${modules}/`)("@xterm/headless");
  const terminal = () => new Terminal({ cols, rows, scrollback: 0, allowProposedApi: true })._core;
  return { terminal, state: (core) => state(core, cols, rows) };
}

function state(core, cols, rows) {
  const buffer = core.buffer;
  const lines = [];
  for (let y = 0; y < rows; y++) lines.push(line(buffer.lines.get(buffer.ybase + y), y, cols));
  const { modes, decPrivateModes } = core.coreService;
  lines.push(JSON.stringify([buffer.x, buffer.y, buffer.scrollTop, buffer.scrollBottom, Math.min(buffer.savedX, cols - 1), buffer.savedY, buffer === core.buffers.alt]));
  lines.push(JSON.stringify([modes, decPrivateModes, core.coreMouseService.activeProtocol, core.coreMouseService.activeEncoding, core.coreService.isCursorHidden]));
  const pen = core._inputHandler._curAttrData;
  lines.push(JSON.stringify([pen.fg, pen.bg & ~0x10000000, Object.keys(buffer.tabs)]));
  return lines;
}

function line(row, y, cols) {
  const parts = [y > 0 && row.isWrapped];
  for (let x = 0; x < cols; x++) {
    const cell = row.loadCell(x, { extended: undefined, combinedData: "" });
    // A space and nothing look the same; the right half of a wide character is neither.
    const text = cell.content & 0x200000 ? row._combined[x] : String.fromCodePoint(cell.content & 0x1fffff || 32);
    const line = row._extendedAttrs[x];
    parts.push(`${text}${cell.content >> 22}/${cell.fg.toString(16)}/${(cell.bg & ~0x10000000).toString(16)}/${cell.bg & 0x10000000 && line ? `${line.underlineStyle}.${line.underlineColor}.${line.urlId > 0}` : ""}`);
  }
  return parts.join(" ");
}
