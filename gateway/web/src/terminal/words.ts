// The connection's true state, in words. Pure.

import type { StateName } from "../session/state";
import type { Status } from "./machine";

export type Tone = "good" | "busy" | "bad" | "rest";

export interface Words {
  text: string;
  tone: Tone;
}

export function connectionWords(status: Status, session: StateName, now: number): Words {
  switch (status.link) {
    case "live":
      return status.viewOnly ? { text: "View only", tone: "rest" } : { text: "Connected", tone: "good" };
    case "login":
      return { text: withKeys("Login needed", status), tone: "bad" };
    case "halted":
      return { text: "Disconnected", tone: "bad" };
    case "idle":
    case "held":
      return held(status, session);
    case "waiting":
    case "connecting":
    case "greeting":
      return trying(status, now);
  }
}

function held(status: Status, session: StateName): Words {
  if (session === "stopped") return { text: "Session stopped", tone: "rest" };
  if (session === "deleting") return { text: "Session ended", tone: "rest" };
  if (session === "failed") return { text: "Session failed", tone: "bad" };
  return { text: withKeys("Session starting", status), tone: "busy" };
}

function trying(status: Status, now: number): Words {
  if (!status.online) return { text: status.keysWaiting > 0 ? `Offline, ${count(status.keysWaiting)} waiting` : "Offline", tone: "bad" };
  if (!status.established && status.attempt <= 1) return { text: "Connecting", tone: "busy" };
  const next = status.retryAt === undefined ? "now" : `${Math.max(0, Math.ceil((status.retryAt - now) / 1000))} s`;
  // The number of the try that runs, or of the one that comes next.
  const attempt = Math.max(1, status.link === "waiting" ? status.attempt + 1 : status.attempt);
  return { text: withKeys(`Reconnecting (attempt ${attempt}, ${next})`, status), tone: "busy" };
}

function withKeys(text: string, { keysWaiting }: Status): string {
  return keysWaiting > 0 ? `${text} · ${count(keysWaiting)} waiting` : text;
}

export function count(keys: number): string {
  return keys === 1 ? "1 key" : `${keys} keys`;
}
