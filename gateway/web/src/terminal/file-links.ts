// Places in files, as compilers and tests print them: src/main.rs:12:5.

import type { IBuffer, ILink, ILinkProvider, Terminal } from "@xterm/xterm";

const WORKSPACE = "/workspace/";
/** A path with a folder or an ending, then a line. Addresses are other links' business. */
const PLACE = /(?<![\w/:.~-])((?:\.{0,2}\/)?(?:[\w@.+-]+\/)*[\w@+-][\w@.+-]*)(?::(\d{1,7})(?::(\d{1,5}))?)/g;

export interface FilePlace {
  path: string;
  line: number;
  /** As it stands there. */
  text: string;
  /** In characters of the line, from 0. */
  start: number;
}

/** The places that a line names. */
export function findPlaces(line: string): FilePlace[] {
  return [...line.matchAll(PLACE)].flatMap((match) => {
    const [text, path = "", number = ""] = match;
    const isFile = path.includes("/") || /\.[A-Za-z]\w*$/.test(path);
    return isFile ? [{ path, line: Number(number), text, start: match.index }] : [];
  });
}

/** The path below /workspace of what is named in a folder; nothing when it is elsewhere. */
export function inWorkspace(path: string, folder: string): string | undefined {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${folder}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  const whole = `/${parts.join("/")}`;
  return whole.startsWith(WORKSPACE) ? whole.slice(WORKSPACE.length) : undefined;
}

/** A line that fills more rows than this is no compiler's, and every look at it would read all of them. */
const MOST_ROWS = 32;

interface Cell {
  x: number;
  y: number;
  width: number;
}

type Rows = Pick<IBuffer, "getLine">;

/** The line that a row is of, over all rows that it was wrapped into, and where each of its characters stands, from 0. */
function lineAt(rows: Rows, row: number): { text: string; cells: Cell[] } {
  let first = row;
  while (first > 0 && row - first < MOST_ROWS && rows.getLine(first)?.isWrapped === true) first -= 1;
  let text = "";
  const cells: Cell[] = [];
  for (let y = first; y - first < MOST_ROWS && (y <= row || rows.getLine(y)?.isWrapped === true); y += 1) {
    const line = rows.getLine(y);
    for (let x = 0; x < (line?.length ?? 0); x += 1) {
      const cell = line?.getCell(x);
      const width = cell?.getWidth() ?? 0;
      // The other half of a wide one.
      if (cell === undefined || width === 0) continue;
      const chars = cell.getChars() || " ";
      text += chars;
      cells.push(...Array.from({ length: chars.length }, () => ({ x, y, width })));
    }
  }
  return { text, cells };
}

/** The places that the line of a row names, and the cells that they fill: counted from 1, the end is part of it. */
export function placesAt(rows: Rows, row: number): { place: FilePlace; range: ILink["range"] }[] {
  const { text, cells } = lineAt(rows, row - 1);
  return findPlaces(text).flatMap((place) => {
    const [start, end] = [cells[place.start], cells[place.start + place.text.length - 1]];
    if (start === undefined || end === undefined) return [];
    return [{ place, range: { start: { x: start.x + 1, y: start.y + 1 }, end: { x: end.x + end.width, y: end.y + 1 } } }];
  });
}

/** Makes places in the emulator's output clickable. */
export function placeLinks(terminal: Terminal, onPlace: (place: FilePlace) => void): ILinkProvider {
  return {
    provideLinks: (row, answer) => {
      const links = placesAt(terminal.buffer.active, row).map(({ place, range }): ILink => ({ text: place.text, range, activate: () => onPlace(place) }));
      answer(links.length === 0 ? undefined : links);
    },
  };
}
