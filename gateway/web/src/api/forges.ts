// What forges find for a form. A forge that cannot be searched leaves a field that one can type into.

import { keepPreviousData, useQueries, useQuery } from "@tanstack/react-query";
import { useSettled } from "../components/settled";
import { hostOf, itemNumber, searchesFor, type Place } from "../form/forges";
import { api } from "./client";
import type { Forge, FoundRepository, FoundWorkItem } from "./types";

/** As long as the gateway remembers, in milliseconds. */
const FRESH = 10_000;
/** The chart changes rarely, in milliseconds. */
const FORGES_FRESH = 300_000;

/** What a search has come to; `told` is why there may be less than one thinks. */
export interface Found<T> {
  items: T[];
  told: string | undefined;
}

const NONE: readonly Forge[] = [];

/** The forges that can be searched; none while one does not know. */
export function useForges(): readonly Forge[] {
  return useQuery({ queryKey: ["forges"], queryFn: api.forges, staleTime: FORGES_FRESH, retry: false }).data ?? NONE;
}

/** Repositories that fit what was typed, while somebody looks. */
export function useRepositories(text: string, forges: readonly Forge[], looking: boolean): Found<FoundRepository & { forge: Forge }> {
  const settled = useSettled(text);
  const searches = searchesFor(settled, forges);
  const answers = useQueries({
    queries: searches.map(({ forge, words }) => ({
      queryKey: ["repositories", forge.id, words],
      queryFn: ({ signal }: { signal: AbortSignal }) => api.repositories(forge.id, words, signal),
      // While one types, the words before are not worth a question.
      enabled: looking && text === settled,
      staleTime: FRESH,
      retry: false,
      placeholderData: keepPreviousData<FoundRepository[]>,
    })),
  });
  const items = searches.flatMap(({ forge }, at) => (answers[at]?.data ?? []).map((repository) => ({ ...repository, forge })));
  if (searches.length === 0) return { items, told: undefined };
  const nothing = searches.every(({ forge, words }) => words === "" && !forge.authenticated && forge.kind === "GitHub") ? "Type a part of a name, or owner/name." : nothingAt(searches.map(({ forge }) => forge));
  return { items, told: tell(answers, text !== settled, nothing, items.length) };
}

/** Open work items that fit what was typed, while somebody looks. */
export function useWorkItems(text: string, place: Place | undefined, looking: boolean): Found<FoundWorkItem> {
  const settled = useSettled(text);
  const words = settled.trim();
  const answer = useQuery({
    queryKey: ["work-items", place?.forge.id, place?.repository, words],
    queryFn: ({ signal }) => (place === undefined ? [] : api.workItems(place.forge.id, place.repository, words, signal)),
    enabled: looking && place !== undefined && text === settled,
    staleTime: FRESH,
    retry: false,
    // Those of another repository are not shown meanwhile.
    placeholderData: (before, query) => (query?.queryKey[1] === place?.forge.id && query?.queryKey[2] === place?.repository ? before : undefined),
  });
  const items = answer.data ?? [];
  return { items, told: tell([answer], text !== settled, "No open work item has these words.", items.length) };
}

/** What the typed id names; undefined while nobody knows. */
export function useWorkItem(workId: string, place: Place | undefined): { number: number; item: FoundWorkItem | undefined } | undefined {
  const settled = useSettled(workId);
  const number = place === undefined ? undefined : itemNumber(settled, place.repository);
  const { data } = useQuery({
    queryKey: ["work-items", place?.forge.id, place?.repository, `#${number}`],
    queryFn: ({ signal }) => (place === undefined ? [] : api.workItems(place.forge.id, place.repository, `#${number}`, signal)),
    enabled: number !== undefined,
    staleTime: FRESH,
    retry: false,
  });
  return number === undefined || data === undefined || settled !== workId ? undefined : { number, item: data[0] };
}

interface Answer {
  isFetching: boolean;
  error: Error | null;
}

function tell(answers: readonly Answer[], typing: boolean, nothing: string, found: number): string | undefined {
  if (typing || answers.some(({ isFetching }) => isFetching)) return "Searching…";
  const failed = [...new Set(answers.flatMap(({ error }) => (error === null ? [] : [error.message])))];
  if (failed.length > 0) return failed.join(" ");
  return found === 0 ? nothing : undefined;
}

function nothingAt(forges: readonly Forge[]): string {
  const blind = forges.filter(({ authenticated }) => !authenticated).map(hostOf);
  const where = blind.length === 0 ? "" : ` Of ${blind.join(", ")} the gateway sees only what is public.`;
  return `Nothing of that name was found; any address will do.${where}`;
}
