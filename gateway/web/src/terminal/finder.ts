// Looks for words in an emulator's output. The addon that does it comes when it is first used.

import type { Terminal } from "@xterm/xterm";
import type { ISearchOptions, SearchAddon } from "@xterm/addon-search";
import type { Theme } from "../layout/theme";

export interface Wanted {
  words: string;
  matchCase: boolean;
  regex: boolean;
}

/** Which of how many; `at` is 0 where none is marked, as beyond the addon's limit. */
export interface Found {
  at: number;
  count: number;
}

const COLOURS: Record<Theme, ISearchOptions["decorations"]> = {
  dark: { matchBackground: "#4a3c12", matchOverviewRuler: "#f0b354", activeMatchBackground: "#8a5f00", activeMatchBorder: "#f0b354", activeMatchColorOverviewRuler: "#ffffff" },
  light: { matchBackground: "#fdf1dc", matchOverviewRuler: "#8a5300", activeMatchBackground: "#ffd97a", activeMatchBorder: "#8a5300", activeMatchColorOverviewRuler: "#16181d" },
};

export class Finder {
  #addon: Promise<SearchAddon> | undefined;

  constructor(
    private readonly terminal: Terminal,
    private readonly onFound: (found: Found) => void,
  ) {}

  /** `step`: to the next one, to the one before, or none while the words are still typed. */
  async find({ words, matchCase, regex }: Wanted, theme: Theme, step: 1 | -1 | 0): Promise<void> {
    const addon = await this.#load();
    if (words === "" || (regex && !isRegex(words))) {
      addon.clearDecorations();
      this.onFound({ at: 0, count: 0 });
      return;
    }
    // Of other options for the same words the addon would keep what it found before.
    if (step === 0) addon.clearDecorations();
    const options = { caseSensitive: matchCase, regex, incremental: step === 0, decorations: COLOURS[theme] } as ISearchOptions;
    if (step === -1) addon.findPrevious(words, options);
    else addon.findNext(words, options);
  }

  async clear(): Promise<void> {
    if (this.#addon !== undefined) (await this.#addon).clearDecorations();
  }

  #load(): Promise<SearchAddon> {
    this.#addon ??= import("@xterm/addon-search").then(({ SearchAddon }) => {
      const addon = new SearchAddon();
      this.terminal.loadAddon(addon);
      addon.onDidChangeResults(({ resultIndex, resultCount }) => this.onFound({ at: resultIndex + 1, count: resultCount }));
      return addon;
    });
    return this.#addon;
  }
}

function isRegex(words: string): boolean {
  try {
    new RegExp(words);
    return true;
  } catch {
    return false;
  }
}
