// What a run is doing, in the page's words: one state, one headline. Pure.

import type { Condition, Run } from "../api/types";

export type StateName = "pending" | "queued" | "running" | "escalated" | "cancelling" | "completed" | "failed" | "cancelled" | "deleting" | "deleted";

export const STATE_WORDS: Record<StateName, string> = {
  pending: "Pending",
  queued: "Queued",
  running: "Running",
  escalated: "Waiting for you",
  cancelling: "Cancelling",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
  deleting: "Deleting",
  deleted: "Deleted",
};

export const FILTERS = ["escalated", "queued", "pending", "running", "completed", "failed", "cancelled"] as const;

const PHASES = { Pending: "pending", Queued: "queued", Running: "running", Escalated: "escalated", Completed: "completed", Failed: "failed", Cancelled: "cancelled" } as const;

/** The head condition: whether it succeeded, and why or why not. */
export function verdict(run: Run): Condition | undefined {
  return run.status?.conditions?.find(({ type }) => type === "Succeeded");
}

/** Nothing comes after it. */
export function hasEnded(run: Run): boolean {
  const phase = run.status?.phase;
  return phase === "Completed" || phase === "Failed" || phase === "Cancelled";
}

export function stateOf(run: Run): StateName {
  if (run.deletionTimestamp) return "deleting";
  if (!hasEnded(run) && run.archived === true) return "deleted";
  if (!hasEnded(run) && run.spec.desiredState === "Cancelled") return "cancelling";
  return PHASES[run.status?.phase ?? "Pending"];
}

/** Its state in a word, and in the queue its place there. */
export function wordOf(run: Run): string {
  const state = stateOf(run);
  const position = state === "queued" ? run.status?.queuePosition : undefined;
  return position === undefined ? STATE_WORDS[state] : `${STATE_WORDS[state]} (${position})`;
}

/** What happens, or why it ended, in one sentence. */
export function headline(run: Run): string {
  const words = verdict(run)?.message;
  const sentence = words === "" ? undefined : words;
  switch (stateOf(run)) {
    case "deleting":
      return "Its pods are being deleted.";
    case "deleted":
      return "It was deleted before it ended.";
    case "running":
      return run.status?.messages?.at(-1)?.text ?? sentence ?? "Its pod runs.";
    case "escalated":
      return run.status?.escalation?.question ?? sentence ?? "It asks a question.";
    case "failed":
      return sentence ?? "The run failed; the operator did not say why.";
    case "pending":
      return sentence ?? "Waiting for the operator to see it.";
    case "queued":
      return sentence ?? "Other runs of the namespace go first.";
    case "cancelling":
      return sentence ?? "Its pod was asked to stop.";
    case "completed":
      return sentence ?? "It did what the plan says.";
    case "cancelled":
      return sentence ?? "Somebody stopped it.";
  }
}

/** Where its page is. One that was deleted may share its name with a later one. */
export function addressOf(run: Run): string {
  const page = `/ns/${run.namespace}/runs/${run.name}`;
  return run.archived === true ? `${page}?uid=${run.uid}` : page;
}

/** What the work is called: its title, else its name. */
export function titleOf(run: Run): string {
  return run.spec.title ?? run.name;
}

/** Where the work is pushed to, as soon as that is known. */
export function branchOf(run: Run): string | undefined {
  return run.status?.branch ?? run.spec.branch;
}
