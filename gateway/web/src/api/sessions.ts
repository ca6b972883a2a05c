// The sessions as the page knows them, and what one can do to them.

import { useMutation, useQuery, useQueryClient, type QueryClient, type UseMutationResult, type UseQueryResult } from "@tanstack/react-query";
import { useAuth } from "../layout/auth";
import { api } from "./client";
import { POLL, SESSIONS, upsert, useStreamState } from "./live";
import type { Session } from "./types";

export function useSessions(): UseQueryResult<Session[]> {
  const { live } = useAuth();
  const stream = useStreamState(live);
  return useQuery({
    queryKey: SESSIONS,
    queryFn: api.sessions,
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: stream === "down" ? POLL : false,
  });
}

export function useSession(namespace: string, name: string): { session: Session | undefined; known: boolean; error: Error | null } {
  const { data, error } = useSessions();
  const session = data?.find((each) => each.namespace === namespace && each.name === name);
  return { session, known: data !== undefined, error };
}

export type Act = UseMutationResult<unknown, Error, Session>;

export function useAct(act: "suspend" | "resume"): Act {
  const queries = useQueryClient();
  return useMutation({ mutationFn: (session: Session) => api[act](session), onSuccess: (changed) => show(queries, changed) });
}

/** Starts the agent of a terminal, or ends it. */
export function useAgent(state: "On" | "Off"): Act {
  const queries = useQueryClient();
  return useMutation({ mutationFn: (session: Session) => api.agent(session, state), onSuccess: (changed) => show(queries, changed) });
}

/** The answer of an action goes into the list at once: it is the server's state, not a guess. */
function show(queries: QueryClient, changed: Session): void {
  queries.setQueryData<Session[]>(SESSIONS, (all) => (all === undefined ? all : upsert(all, changed)));
}
