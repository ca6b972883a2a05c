// What a link needs to know of its session.

import type { StateName } from "../session/state";
import type { SessionState } from "./link";

/** A failed session may come back by itself. */
export function linkStateOf(state: StateName): SessionState {
  if (state === "ready") return "ready";
  return state === "stopped" || state === "deleting" ? "stopped" : "waiting";
}
