// The connection's true state, in words. Pure.

import type { StateName } from "../session/state";
import type { LinkError } from "./close-codes";
import type { LinkStatus } from "./link";

export type Tone = "good" | "busy" | "bad" | "rest";

export interface Words {
  text: string;
  tone: Tone;
}

export interface Status extends LinkStatus {
  viewOnly: boolean;
}

/** `backlog` is what waits to be sent, such as "4 keys". */
export function connectionWords(status: Status, session: StateName, now: number, backlog?: string): Words {
  switch (status.link) {
    case "live":
      return status.viewOnly ? { text: "View only", tone: "rest" } : { text: "Connected", tone: "good" };
    case "login":
      return { text: waiting("Login needed", backlog), tone: "bad" };
    case "halted":
      return { text: "Disconnected", tone: "bad" };
    case "idle":
    case "held":
      return held(session, backlog);
    case "waiting":
    case "connecting":
    case "greeting":
      return trying(status, now, backlog);
  }
}

/** Why there is no connection, and what the other side said to it. */
export function errorWords({ why, said }: LinkError): string {
  return said === undefined ? why : `${why} ${saidWords(said)}`;
}

/** The other side's own words. */
export function saidWords(said: string): string {
  return `The other end said: ${said}`;
}

function held(session: StateName, backlog: string | undefined): Words {
  if (session === "stopped") return { text: "Session stopped", tone: "rest" };
  if (session === "deleting") return { text: "Session ended", tone: "rest" };
  if (session === "failed") return { text: "Session failed", tone: "bad" };
  return { text: waiting("Session starting", backlog), tone: "busy" };
}

function trying(status: Status, now: number, backlog: string | undefined): Words {
  if (!status.online) return { text: backlog === undefined ? "Offline" : `Offline, ${backlog} waiting`, tone: "bad" };
  if (!status.established && status.attempt <= 1) return { text: "Connecting", tone: "busy" };
  const next = status.retryAt === undefined ? "now" : `${Math.max(0, Math.ceil((status.retryAt - now) / 1000))} s`;
  // The number of the try that runs, or of the one that comes next.
  const attempt = Math.max(1, status.link === "waiting" ? status.attempt + 1 : status.attempt);
  return { text: waiting(`Reconnecting (attempt ${attempt}, ${next})`, backlog), tone: "busy" };
}

function waiting(text: string, backlog: string | undefined): string {
  return backlog === undefined ? text : `${text} · ${backlog} waiting`;
}

/** So many of something, or nothing at all. */
export function backlogOf(count: number, one: string): string | undefined {
  if (count === 0) return undefined;
  return count === 1 ? `1 ${one}` : `${count} ${one}s`;
}
