// That a session's runtime is another process than before: when, and why, in one sentence.

import type { Session } from "../api/types";
import { condition, hasAgent } from "../session/state";
import { clock } from "../session/time";

/** A dead line is noticed late, and the cluster's clock is another one than ours, in milliseconds. */
const SLACK = 60_000;

/** What is older than the loss of the connection has another story to tell. */
export function restartWords(session: Session, lostAt: number, now: number): string {
  const isOfNow = (time: string | undefined): time is string => time !== undefined && Date.parse(time) >= lostAt - SLACK;
  const startedAt = session.status?.startedAt;
  const at = isOfNow(startedAt) ? startedAt : new Date(now).toISOString();
  return `The session was restarted at ${clock(at)}: ${cause(session, isOfNow)}`;
}

/** What the session itself says first; else whether its pod is a new one. */
function cause(session: Session, isOfNow: (time: string | undefined) => boolean): string {
  // Later ones may tell of the new start. An agent tells there what failed of its own work, too.
  const told = hasAgent(session) ? undefined : session.status?.messages?.find(({ type, time }) => type === "Failed" && isOfNow(time))?.text;
  if (told !== undefined) return told;
  const suspended = condition(session, "Suspended");
  if (suspended?.status === "True") return suspended.message;
  return isOfNow(session.status?.stoppedAt) ? "it was stopped, and started again." : "its pod or its container was replaced.";
}
