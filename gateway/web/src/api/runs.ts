// The runs as the page knows them.

import { useQuery, useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import { useCallback } from "react";
import { useAuth } from "../layout/auth";
import { api, ApiError } from "./client";
import { POLL, RUNS, upsert, useStreamState } from "./live";
import type { Run } from "./types";

/** All of them, or what one wants to know of them: then one learns of changes of that alone. */
export function useRuns<T = Run[]>(select?: (runs: Run[]) => T): UseQueryResult<T> {
  const { live } = useAuth();
  const stream = useStreamState(live);
  return useQuery({
    queryKey: RUNS,
    queryFn: api.runs,
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: stream === "down" ? POLL : false,
    ...(select === undefined ? {} : { select }),
  });
}

/** A run wherever it is: that of a UID when several had the name, else the cluster's, else the archive's. */
export function useRun(namespace: string, name: string, uid: string | undefined): { run: Run | undefined; known: boolean; error: Error | null } {
  const { data, error } = useRuns();
  const run = data?.find((each) => each.namespace === namespace && each.name === name && (uid === undefined || each.uid === uid));
  const gone = data !== undefined && run === undefined;
  const kept = useQuery({ queryKey: ["run", namespace, name, uid], queryFn: () => api.run({ namespace, name }, uid), enabled: gone, retry: false });
  if (!gone) return { run, known: data !== undefined, error };
  const unknown = kept.error instanceof ApiError && kept.error.status === 404;
  return { run: kept.data, known: unknown, error: kept.error };
}

/** As many deleted runs as a list shows. */
export const ARCHIVED_RUNS = 1_000;

/** Somebody may have deleted another one meanwhile. */
const ARCHIVED_AGAIN = 30_000;

/** The runs that the cluster has no more. */
export function useArchivedRuns(namespace: string | undefined, wanted: boolean): UseQueryResult<Run[]> {
  return useQuery({ queryKey: ["archived-runs", namespace], queryFn: () => api.archivedRuns(namespace, ARCHIVED_RUNS), enabled: wanted, refetchInterval: ARCHIVED_AGAIN, retry: false });
}

/** The answer of an action goes into the list at once: it is the server's state, not a guess. */
export function useTakeRun(): (run: Run) => void {
  const queries = useQueryClient();
  return useCallback((run) => void queries.setQueryData<Run[]>(RUNS, (all) => upsert(all ?? [], run)), [queries]);
}
