// What waits for a human, shown wherever one is on the page.

import { useCallback, useEffect } from "react";
import { useRuns } from "../api/runs";
import { useSessions } from "../api/sessions";
import type { Run, Session } from "../api/types";
import { stateOf } from "../run/state";
import { asked } from "../session/state";
import { useNamespace } from "./namespace";

/** How many runs of the namespace that is shown wait for an answer. */
export function useWaitingRuns(): number {
  const [namespace] = useNamespace();
  const count = useCallback((runs: Run[]) => runs.filter((run) => (namespace === undefined || run.namespace === namespace) && stateOf(run) === "escalated").length, [namespace]);
  return useRuns(count).data ?? 0;
}

/** How many sessions of it have an agent that waits for an answer, but for one that counts itself. */
export function useWaitingSessions(except?: string): number {
  const [namespace] = useNamespace();
  const waits = (session: Session): boolean => (namespace === undefined || session.namespace === namespace) && session.uid !== except && asked(session) !== undefined;
  return useSessions().data?.filter(waits).length ?? 0;
}

/** Names the browser's tab; a number before the name says how much waits for a human. */
export function useTitle(name: string, here?: { uid: string; questions: number }): void {
  const waiting = useWaitingRuns() + useWaitingSessions(here?.uid) + (here?.questions ?? 0);
  useEffect(() => {
    document.title = `${waiting === 0 ? "" : `(${waiting}) `}${name} · Fabrica`;
  }, [name, waiting]);
}
