// What the drawer says of a connection. Pure.

import type { LinkName } from "../link/link";
import { verdict } from "../link/close-codes";
import type { Resumed } from "./stream";

/** What the page does about it. */
export const DOING: Record<LinkName, string> = {
  idle: "The page has not begun to connect.",
  held: "There is nothing to connect to until the session is ready; the page connects by itself then.",
  waiting: "The page tries again by itself, with growing pauses, and at once when the network is back or you look at it.",
  connecting: "The page is reaching for the gateway.",
  greeting: "The gateway has answered; the session is about to.",
  live: "What you type arrives, and what is printed is shown.",
  login: "The shell goes on. Log in, and the page goes on where it was.",
  halted: "Trying again by itself would not help; you decide.",
};

export const RESUMED: Record<Resumed, string> = {
  exact: "went on exactly where it was",
  snapshot: "was drawn anew from a snapshot",
};

/** The cause of a loss as the machine notes it, in words. */
export function causeWords(cause: string): string {
  const code = /^closed with (\d+)$/.exec(cause)?.[1];
  if (code === undefined) return cause === "ping timeout" ? "No answer to a ping" : cause === "no answer" ? "No answer from the gateway" : cause;
  return `${verdict(Number(code), "", "The right was taken away.").error.why.replace(/\.$/, "")} (code ${code})`;
}
