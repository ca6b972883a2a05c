// Whether somebody has seen a run's question yet.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { api, type Key } from "./client";
import { PAGE } from "./messages";

/** Somebody else may have seen it meanwhile. */
const AGAIN = 60_000;

const keyOf = (run: Key, question: string) => ["unseen", run.namespace, run.name, question];

/** Whether the run's question waits to be seen. Where nothing keeps marks, nothing is said to be unseen. */
export function useUnseen(run: Key, question: string | undefined): boolean {
  const { data = false } = useQuery({
    queryKey: keyOf(run, question ?? ""),
    queryFn: () => isUnread(run, question ?? ""),
    enabled: question !== undefined,
    retry: false,
    staleTime: AGAIN,
    refetchInterval: ({ state }) => (state.data === true ? AGAIN : false),
  });
  return data;
}

async function isUnread(run: Key, question: string): Promise<boolean> {
  let after = 0;
  for (;;) {
    const messages = await api.unread(run, after, PAGE);
    if (messages.some(({ type, content }) => type === "escalation" && content.metadata?.id === question)) return true;
    const last = messages.at(-1);
    if (last === undefined) return false;
    after = last.seq;
  }
}

/** Tells that everything up to a message was seen. Who may not say so leaves the mark as it is. */
export function useMarkRead(run: Key, question: string | undefined): (through: number) => void {
  const queries = useQueryClient();
  const { namespace, name } = run;
  return useCallback(
    (through) => {
      const mark = async (): Promise<void> => {
        await api.readRun({ namespace, name }, through);
        if (question !== undefined) queries.setQueryData(keyOf({ namespace, name }, question), false);
      };
      void mark().catch(() => undefined);
    },
    [queries, namespace, name, question],
  );
}
