// Runs that wait for a human, shown wherever one is on the page.

import { useCallback, useEffect } from "react";
import { useRuns } from "../api/runs";
import type { Run } from "../api/types";
import { stateOf } from "../run/state";
import { useNamespace } from "./namespace";

/** How many runs of the namespace that is shown wait for an answer. */
export function useWaiting(): number {
  const [namespace] = useNamespace();
  const count = useCallback((runs: Run[]) => runs.filter((run) => (namespace === undefined || run.namespace === namespace) && stateOf(run) === "escalated").length, [namespace]);
  return useRuns(count).data ?? 0;
}

/** Names the browser's tab; a number before the name says how many runs wait, and questions of this page. */
export function useTitle(name: string, questions = 0): void {
  const waiting = useWaiting() + questions;
  useEffect(() => {
    document.title = `${waiting === 0 ? "" : `(${waiting}) `}${name} · Fabrica`;
  }, [name, waiting]);
}
