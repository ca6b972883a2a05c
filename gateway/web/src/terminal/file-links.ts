// Places in files, as compilers and tests print them: src/main.rs:12:5.

import type { ILink, ILinkProvider, Terminal } from "@xterm/xterm";

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

/** Makes places in the emulator's output clickable. */
export function placeLinks(terminal: Terminal, onPlace: (place: FilePlace) => void): ILinkProvider {
  return {
    provideLinks: (row, answer) => {
      const line = terminal.buffer.active.getLine(row - 1)?.translateToString(true) ?? "";
      const links = findPlaces(line).map((place): ILink => ({
        text: place.text,
        // Cells are counted from 1, and the end is part of it.
        range: { start: { x: place.start + 1, y: row }, end: { x: place.start + place.text.length, y: row } },
        activate: () => onPlace(place),
      }));
      answer(links.length === 0 ? undefined : links);
    },
  };
}
