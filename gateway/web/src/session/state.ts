// What a session is doing, in the page's words: one state, one headline. Pure.

import type { Condition, Message, Session } from "../api/types";

export type StateName = "ready" | "starting" | "stopped" | "failed" | "deleting";

export const STATE_WORDS: Record<StateName, string> = {
  ready: "Ready",
  starting: "Starting",
  stopped: "Stopped",
  failed: "Failed",
  deleting: "Deleting",
};

export const FILTERS = ["ready", "starting", "stopped", "failed"] as const;

export function condition(session: Session, type: string): Condition | undefined {
  return session.status?.conditions?.find((each) => each.type === type);
}

export function stateOf(session: Session): StateName {
  if (session.deletionTimestamp) return "deleting";
  const phase = session.status?.phase;
  if (phase === "Stopped") return "stopped";
  if (phase === "Failed") return "failed";
  return condition(session, "Ready")?.status === "True" ? "ready" : "starting";
}

/** Whether people talk to an agent here. */
export function hasAgent({ spec }: Session): boolean {
  return spec.mode === "Chat" || spec.agentState === "On";
}

/** Whether the page offers to start or end the agent of a terminal. Without a repository there is nothing to work in; where Chat is
 * switched off, an agent can only be ended. */
export function switchesAgent({ spec }: Session, chatEnabled: boolean): boolean {
  return spec.mode !== "Chat" && spec.repository !== undefined && (chatEnabled || spec.agentState === "On");
}

/** What the agent works by. */
export function workflowOf({ spec }: Session): "Faber" | "None" {
  return spec.workflow ?? (spec.mode === "Chat" ? "Faber" : "None");
}

/** Why the agent of a terminal cannot be spoken to, and whether that is a failure; nothing when it can, or where the session is
 * itself a chat. */
export function agentTrouble(session: Session): { why: string; failed: boolean } | undefined {
  if (session.spec.mode === "Chat" || session.spec.agentState !== "On") return undefined;
  const ready = condition(session, "AgentReady");
  if (ready?.status === "True") return undefined;
  return { why: ready?.message ?? "The agent is about to be started.", failed: ready !== undefined && !COMING.has(ready.reason) };
}

/** Reasons of an agent that is on its way. */
const COMING: ReadonlySet<string> = new Set(["Starting", "Pending", "AgentOff"]);

/** What the agent of a conversation asks a human, the oldest first. */
export function asked(session: Session): string | undefined {
  return stateOf(session) === "deleting" ? undefined : session.status?.faber?.pendingApprovals?.[0]?.question;
}

/** Why it is not ready, in one sentence; nothing when there is nothing to explain. */
export function headline(session: Session): string | undefined {
  const ready = condition(session, "Ready");
  switch (stateOf(session)) {
    case "ready":
      return undefined;
    case "deleting":
      return "The pod is being stopped.";
    case "stopped":
      return stopReason(session);
    case "failed":
      return ready?.message ?? "The session failed; the operator did not say why.";
    case "starting":
      return progress(session) ?? ready?.message ?? "Waiting for the operator to see it.";
  }
}

/** Reasons of a start that goes its way; every other one is a cause that keeps it from going on. */
const GOING_ON: ReadonlySet<string> = new Set(["Starting", "Pending", "VolumePending", "Ready"]);

/** Whether the start waits for somebody to put something right. */
export function isStuck(session: Session): boolean {
  const ready = condition(session, "Ready");
  return stateOf(session) === "starting" && ready !== undefined && !GOING_ON.has(ready.reason);
}

/** Something a ready session should tell as well. */
export function remark(session: Session): string | undefined {
  const restart = condition(session, "RestartRequired");
  if (restart?.status === "True") return restart.message;
  const workspace = condition(session, "WorkspaceReady");
  return workspace?.status === "False" && stateOf(session) === "ready" ? workspace.message : undefined;
}

export function stopReason(session: Session): string {
  const suspended = condition(session, "Suspended");
  switch (suspended?.reason) {
    case "IdleTimeout":
      return "Stopped because nobody used it for a while.";
    case "ShutdownTime":
      return "Stopped at its shutdown time.";
    case "Suspended":
      return "Suspended by a user.";
    default:
      return suspended?.message ?? "The session is stopped.";
  }
}

/** Stopped by itself: whoever opens its page wants it back. An explicit stop is somebody's decision and stays. */
export function wakesOnOpen(session: Session): boolean {
  return stateOf(session) === "stopped" && session.spec.operatingMode !== "Suspended";
}

/** The step that runs now, if a step does; a real cause of not being ready says more than an old step. */
function progress(session: Session): string | undefined {
  const reason = condition(session, "Ready")?.reason;
  if (session.status?.phase !== "Starting" || (reason !== undefined && reason !== "Starting")) return undefined;
  return session.status.messages?.at(-1)?.text;
}

export interface Step {
  text: string;
  type: Message["type"];
  time: string;
  /** The last line of a start that still runs. */
  current: boolean;
}

/** The lines of the last start, as the terminal area shows them. */
export function steps(session: Session): Step[] {
  const messages = session.status?.messages ?? [];
  const running = stateOf(session) === "starting";
  return messages.map((message, index) => ({
    ...message,
    current: running && index === messages.length - 1 && (message.type === "Started" || message.type === "Progress"),
  }));
}
