import { createContext } from "react";

/** What may be wanted of the terminals beside what one reads. */
export type ShellWish =
  /** A command in a shell's line, not entered. */
  | { do: "type"; command: string }
  /** The place in the agent's terminal where a line begins so. */
  | { do: "show"; head: string };

/** Brings a terminal up that does what is wanted; there where terminals are beside what one reads. */
export const ShellContext = createContext<((wish: ShellWish) => void) | undefined>(undefined);
