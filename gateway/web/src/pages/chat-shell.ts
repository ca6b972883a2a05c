import { createContext } from "react";

/** Brings the terminal up with a command in its line, not entered; there where a terminal is beside what one reads. */
export const ShellContext = createContext<((command: string) => void) | undefined>(undefined);
