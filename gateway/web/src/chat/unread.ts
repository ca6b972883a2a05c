// Where a reader stopped reading. Pure.

export interface Reading {
  /** How many entries there were when it was last looked at. */
  known: number;
  /** The first that came while nobody read; it keeps its mark until something else is the first. */
  mark: string | undefined;
  /** Whether somebody has read since the mark was set. */
  read: boolean;
}

export const UNREAD_NOTHING: Reading = { known: 0, mark: undefined, read: true };

/** What there is now, and whether its end is before somebody's eyes. */
export function look(before: Reading, keys: readonly { key: string }[], attended: boolean): Reading {
  const fresh = keys[before.known];
  const begins = fresh !== undefined && before.known > 0 && !attended && before.read;
  const after: Reading = { known: keys.length, mark: begins ? fresh.key : before.mark, read: attended || (before.read && !begins) };
  return after.known === before.known && after.mark === before.mark && after.read === before.read ? before : after;
}
