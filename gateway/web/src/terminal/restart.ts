// Why a session's runtime is another process than before, in one sentence.

import type { Session } from "../api/types";
import { condition } from "../session/state";

/** What the session itself says first; else whether its pod is a new one. */
export function restartCause(session: Session): string {
  const told = session.status?.messages?.findLast(({ type }) => type === "Failed")?.text;
  const suspended = condition(session, "Suspended");
  if (told !== undefined) return told;
  return suspended?.status === "True" ? suspended.message : "its pod or its container was replaced.";
}
