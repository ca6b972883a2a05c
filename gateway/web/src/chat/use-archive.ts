import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { api, ApiError, type Known } from "../api/client";
import { useSettled } from "../components/settled";
import { nextOf, older, type Line } from "./archived";

/** Fewer letters stand nearly everywhere. */
const SHORTEST = 2;
/** As many are looked for by themselves; more on demand. */
const ENOUGH = 50;

export interface Archive {
  lines: readonly Line[];
  /** "nowhere" when there is no archive, or nothing to look for. */
  state: "nowhere" | "searching" | "more" | "all" | "failed";
  error: Error | null;
  /** Goes on, after enough was found or after an error. */
  goOn: () => void;
}

/** Looks for words in what the archive alone keeps of a chat, a part after the other. `before`: when what the page holds begins. */
export function useArchive(session: Known, needle: string, before: number): Archive {
  const words = useSettled(needle);
  const wanted = words === needle && words.length >= SHORTEST;
  const query = useInfiniteQuery({
    queryKey: ["archive", session.uid, words],
    queryFn: ({ pageParam, signal }) => api.find(session, words, pageParam, signal),
    initialPageParam: 0,
    getNextPageParam: (part) => nextOf(part, before),
    enabled: wanted,
    // What is older than the page does not change.
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
  const { data, error, hasNextPage, isFetching, fetchNextPage, refetch } = query;
  const lines = data === undefined ? [] : older(data.pages, before);
  const goesOn = wanted && hasNextPage && !isFetching && error === null && lines.length < ENOUGH;
  useEffect(() => {
    if (goesOn) void fetchNextPage();
  }, [goesOn, fetchNextPage, data]);
  const goOn = (): void => void (data === undefined ? refetch() : fetchNextPage());
  return { lines, state: stateOf(), error, goOn };

  function stateOf(): Archive["state"] {
    // A gateway without a database says so.
    if (!wanted || (error instanceof ApiError && error.status === 409)) return "nowhere";
    if (error !== null && !isFetching) return "failed";
    if (data === undefined || isFetching || goesOn) return "searching";
    return hasNextPage ? "more" : "all";
  }
}
