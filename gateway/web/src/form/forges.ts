// Which forge a text is about, and what to ask it. Pure.

import type { Forge } from "../api/types";

/** A repository at a forge that can be searched. */
export interface Place {
  forge: Forge;
  /** Owner and name. */
  repository: string;
}

/** What to look for, and where. */
export interface Search {
  forge: Forge;
  words: string;
}

/** The repository that an address names, if the gateway can search its forge. */
export function placeOf(address: string, forges: readonly Forge[]): Place | undefined {
  for (const forge of forges) {
    const repository = within(address.trim(), forge)?.replace(/\/+$/, "").replace(/\.git$/, "");
    if (repository !== undefined && /^[\w.-]+\/[\w.-]+$/.test(repository)) return { forge, repository };
  }
  return undefined;
}

/** Words are looked for everywhere; the beginning of an address where it leads to; any other address nowhere. */
export function searchesFor(text: string, forges: readonly Forge[]): Search[] {
  const words = text.trim();
  if (!/^https?:?(\/|$)/i.test(words)) return forges.map((forge) => ({ forge, words }));
  return forges.flatMap((forge) => {
    const rest = within(words, forge);
    return rest === undefined ? [] : [{ forge, words: rest.replace(/\.git$/, "") }];
  });
}

/** What stands behind a forge's own address. */
function within(address: string, forge: Forge): string | undefined {
  const begin = `${forge.url}/`;
  return address.toLowerCase().startsWith(begin.toLowerCase()) ? address.slice(begin.length) : undefined;
}

/** The number of an item of this repository: `12`, `#12` or `owner/name#12`. */
export function itemNumber(workId: string, repository: string): number | undefined {
  const [, where = "", digits] = /^(?:([^#]*)#)?([1-9][0-9]{0,8})$/.exec(workId.trim()) ?? [];
  const isOurs = where === "" || where.toLowerCase() === repository.toLowerCase();
  return digits !== undefined && isOurs ? Number(digits) : undefined;
}

/** What `repository.forge` must say; of github.com the address tells. */
export function forgeField({ kind, url }: Forge): string {
  return url.toLowerCase() === "https://github.com" ? "" : kind;
}

/** How people call a forge. */
export function hostOf({ url }: Forge): string {
  return url.replace(/^https?:\/\//, "");
}
