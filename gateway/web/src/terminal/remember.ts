// Which tabs a session's page had, and in which order: kept by the browser for the next load of the page.

import type { Tab } from "./tab";
import type { Remembered } from "./terminals";

const NOTHING: Remembered = { order: [], active: undefined };
/** Sessions whose tabs are kept; the oldest is forgotten first. */
const KEPT = 50;
const KEY = "fabrica-tabs";

type Shelf = Record<string, Remembered>;

/** What was kept, as far as it makes sense. */
export function readShelf(text: string | null): Shelf {
  try {
    const kept: unknown = JSON.parse(text ?? "{}");
    if (typeof kept !== "object" || kept === null) return {};
    return Object.fromEntries(Object.entries(kept as Record<string, unknown>).flatMap(([session, value]) => (makesSense(value) ? [[session, value] as const] : [])));
  } catch {
    return {};
  }
}

function makesSense(value: unknown): value is Remembered {
  if (typeof value !== "object" || value === null) return false;
  const { order, active } = value as Partial<Remembered>;
  return Array.isArray(order) && order.every((name) => typeof name === "string") && (active === undefined || (Number.isInteger(active) && active > 0 && active <= 0xffff));
}

/** The shelf with this session's tabs on it, as the one that was used last. */
export function shelve(shelf: Shelf, session: string, tabs: readonly Tab[], active: number | undefined): Shelf {
  const others = Object.entries(shelf).filter(([each]) => each !== session);
  const order = tabs.flatMap(({ name, gone }) => (gone === undefined && name !== "" ? [name] : []));
  const terminal = tabs.find(({ tab }) => tab === active)?.terminal;
  return Object.fromEntries([...others.slice(1 - KEPT), [session, { order, active: terminal }]]);
}

export function remembered(session: string): Remembered {
  return readShelf(localStorage.getItem(KEY))[session] ?? NOTHING;
}

export function remember(session: string, tabs: readonly Tab[], active: number | undefined): void {
  localStorage.setItem(KEY, JSON.stringify(shelve(readShelf(localStorage.getItem(KEY)), session, tabs, active)));
}
