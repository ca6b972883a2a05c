// Whether somebody has seen a run's question yet.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { api } from "./client";
import { PAGE } from "./messages";
import type { Run } from "./types";

/** Somebody else may have seen it meanwhile. */
const AGAIN = 60_000;

const keyOf = (uid: string, question: string) => ["unseen", uid, question];

/** Whether the run's question waits to be seen. Where nothing keeps marks, nothing is said to be unseen. */
export function useUnseen(run: Run, question: string | undefined): boolean {
  const { data = false } = useQuery({
    queryKey: keyOf(run.uid, question ?? ""),
    queryFn: () => isUnread(run, question ?? ""),
    enabled: question !== undefined,
    retry: false,
    staleTime: AGAIN,
    refetchInterval: ({ state }) => (state.data === true ? AGAIN : false),
  });
  return data;
}

async function isUnread(run: Run, question: string): Promise<boolean> {
  let after = 0;
  for (;;) {
    const messages = await api.messages(run, { after, limit: PAGE, unread: true });
    if (messages.some(({ content: { metadata } }) => metadata.kind === "question" && metadata.id === question)) return true;
    const last = messages.at(-1);
    if (last === undefined) return false;
    after = last.seq;
  }
}

/** Tells that everything up to a message was seen. Who may not say so leaves the mark as it is. */
export function useMarkRead(run: Run, question: string | undefined): (through: number) => void {
  const queries = useQueryClient();
  const { namespace, name, uid } = run;
  return useCallback(
    (through) => {
      const mark = async (): Promise<void> => {
        await api.markRead({ namespace, name, uid }, through);
        if (question !== undefined) queries.setQueryData(keyOf(uid, question), false);
      };
      void mark().catch(() => undefined);
    },
    [queries, namespace, name, uid, question],
  );
}
