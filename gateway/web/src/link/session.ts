// What a link needs to know of its session.

import type { Session } from "../api/types";
import { agentTrouble, stateOf, type StateName } from "../session/state";
import type { SessionState } from "./link";

/** A failed session may come back by itself. */
export function linkStateOf(state: StateName): SessionState {
  if (state === "ready") return "ready";
  return state === "stopped" || state === "deleting" ? "stopped" : "waiting";
}

/** The same for a chat, whose agent may come later than the session. */
export function chatStateOf(session: Session): SessionState {
  const state = linkStateOf(stateOf(session));
  return state === "ready" && agentTrouble(session) !== undefined ? "waiting" : state;
}
