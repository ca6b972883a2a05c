// The runs as the page knows them.

import { useQuery, useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import { useCallback } from "react";
import { useAuth } from "../layout/auth";
import { api } from "./client";
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

export function useRun(namespace: string, name: string): { run: Run | undefined; known: boolean; error: Error | null } {
  const { data, error } = useRuns();
  const run = data?.find((each) => each.namespace === namespace && each.name === name);
  return { run, known: data !== undefined, error };
}

/** The answer of an action goes into the list at once: it is the server's state, not a guess. */
export function useTakeRun(): (run: Run) => void {
  const queries = useQueryClient();
  return useCallback((run) => void queries.setQueryData<Run[]>(RUNS, (all) => upsert(all ?? [], run)), [queries]);
}
