// Requests to the gateway. Every refusal becomes an ApiError that carries the API's own words.

import type { FieldError, FileEntry, Forge, FoundMessages, FoundRepository, FoundWorkItem, Me, NewRun, NewSession, Problem, Run, RunMessage, Session } from "./types";

export class ApiError extends Error {
  readonly status: number;
  readonly fields: FieldError[];

  constructor(problem: Pick<Problem, "title" | "status"> & Partial<Problem>) {
    super(problem.detail ?? problem.title);
    this.status = problem.status;
    this.fields = problem.errors ?? [];
  }
}

/** Called whenever the gateway no longer knows us; the page then asks for a login in place. */
let onLoginNeeded: () => void = () => undefined;

export function whenLoginIsNeeded(listener: () => void): void {
  onLoginNeeded = listener;
}

const BASE = "/api/v1";

async function request<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const response = await send(method, path, body, signal);
  if (response.ok) return (response.status === 204 ? undefined : await response.json().catch(() => undefined)) as T;
  throw await refusal(response);
}

async function send(method: string, path: string, body: unknown, signal: AbortSignal | undefined): Promise<Response> {
  try {
    return await fetch(BASE + path, {
      method,
      ...(signal === undefined ? {} : { signal }),
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
  } catch {
    throw new ApiError({ title: "The gateway does not answer. Check the network; nothing was changed.", status: 0 });
  }
}

/** What a response that is not ok means; tells the page when it means a login. */
export async function refusal(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => undefined)) as Partial<Problem> | undefined;
  if (response.status === 401 && !response.url.endsWith("/login")) onLoginNeeded();
  return new ApiError({ title: `The gateway answered ${response.status}.`, ...problem, status: response.status });
}

export interface Key {
  namespace: string;
  name: string;
}

/** One of several that had the name, one after the other. */
export interface Known extends Key {
  uid: string;
}

/** A place in a run's messages, and how many to take from there. */
interface Place {
  after: number;
  limit: number;
  /** How many seconds to wait for the first of them. */
  wait?: number;
  /** Those alone that nobody has marked as read; without an archive it is refused. */
  unread?: boolean;
}

function listPath(namespace: string, kind: "sessions" | "runs"): string {
  return `/namespaces/${encodeURIComponent(namespace)}/${kind}`;
}

export function sessionPath(session: Key): string {
  return `${listPath(session.namespace, "sessions")}/${encodeURIComponent(session.name)}`;
}

function runPath(run: Key): string {
  return `${listPath(run.namespace, "runs")}/${encodeURIComponent(run.name)}`;
}

export function filePath(session: Key, path: string): string {
  const encoded = path.split("/").filter(Boolean).map(encodeURIComponent).join("/");
  return `${BASE}${sessionPath(session)}/files/${encoded}`;
}

async function messages(path: string, uid: string, { wait = 0, unread = false, ...place }: Place, signal?: AbortSignal): Promise<RunMessage[]> {
  const query = new URLSearchParams({ uid, after: String(place.after), limit: String(place.limit), ...(wait > 0 ? { wait: String(wait) } : {}), ...(unread ? { unread: "true" } : {}) });
  return (await request<{ items: RunMessage[] }>("GET", `${path}/messages?${query.toString()}`, undefined, signal)).items;
}

export const api = {
  login: (token: string) => request<undefined>("POST", "/login", { token }),
  logout: () => request<undefined>("POST", "/logout"),
  me: () => request<Me>("GET", "/me"),
  sessions: () => all<Session>("/sessions"),
  session: (at: Key) => request<Session>("GET", sessionPath(at)),
  create: (namespace: string, session: NewSession) =>
    request<Session>("POST", listPath(namespace, "sessions"), session),
  remove: (session: Session) => request<undefined>("DELETE", sessionPath(session)),
  suspend: (session: Session) => request<Session>("POST", `${sessionPath(session)}/suspend`),
  resume: (session: Session) => request<Session>("POST", `${sessionPath(session)}/resume`),
  /** What the archive keeps of a chat, from a place on. */
  conversation: (session: Known, place: Place, signal?: AbortSignal) => messages(sessionPath(session), session.uid, place, signal),
  /** A part of what words are found in there; `next` says where to look on. */
  find: (session: Known, words: string, after: number, signal?: AbortSignal) => {
    const query = new URLSearchParams({ uid: session.uid, words, after: String(after) });
    return request<FoundMessages>("GET", `${sessionPath(session)}/messages/search?${query.toString()}`, undefined, signal);
  },
  /** Starts the agent of a terminal, or ends it. */
  agent: (session: Session, state: "On" | "Off") => request<Session>("POST", `${sessionPath(session)}/agent`, { state }),
  runs: () => all<Run>("/runs"),
  /** The newest that the cluster has no more, at most so many. */
  archivedRuns: async (namespace: string | undefined, most: number): Promise<Run[]> => {
    const path = namespace === undefined ? "/runs" : listPath(namespace, "runs");
    const runs = await all<Run>(path, "&archived=true", (items) => items.filter(({ archived }) => archived).length >= most);
    return runs.filter(({ archived }) => archived).slice(0, most);
  },
  /** In the cluster, else in the archive. */
  run: (at: Key, uid: string | undefined) => request<Run>("GET", runPath(at) + (uid === undefined ? "" : `?uid=${encodeURIComponent(uid)}`)),
  createRun: (namespace: string, run: NewRun) => request<Run>("POST", listPath(namespace, "runs"), run),
  removeRun: (run: Key) => request<undefined>("DELETE", runPath(run)),
  cancelRun: (run: Key) => request<Run>("POST", `${runPath(run)}/cancel`),
  /** The same plan again, or another one. */
  retryRun: (run: Key, plan: string | undefined) => request<Run>("POST", `${runPath(run)}/retry`, plan === undefined ? undefined : { plan }),
  /** Given once and never changed. */
  answerRun: (run: Key, answer: { id: string; text: string }) => request<Run>("POST", `${runPath(run)}/answers`, answer),
  /** Those after one, the oldest first. */
  messages: (run: Known, place: Place, signal?: AbortSignal) => messages(runPath(run), run.uid, place, signal),
  /** Everything up to a message, for everybody who reads them. */
  markRead: (run: Known, through: number) => request<undefined>("POST", `${runPath(run)}/messages/read?uid=${encodeURIComponent(run.uid)}`, { through }),
  forges: async (): Promise<Forge[]> => (await request<{ items: Forge[] }>("GET", "/forges")).items,
  /** Those whose names hold the words; without words, those that changed last. */
  repositories: async (forge: number, words: string, signal?: AbortSignal): Promise<FoundRepository[]> => {
    const query = new URLSearchParams({ q: words });
    return (await request<{ items: FoundRepository[] }>("GET", `/forges/${forge}/repositories?${query.toString()}`, undefined, signal)).items;
  },
  /** Open ones that hold the words; the one of a number, whatever its state. */
  workItems: async (forge: number, repository: string, words: string, signal?: AbortSignal): Promise<FoundWorkItem[]> => {
    const query = new URLSearchParams({ repository, q: words });
    return (await request<{ items: FoundWorkItem[] }>("GET", `/forges/${forge}/work-items?${query.toString()}`, undefined, signal)).items;
  },
  list: async (session: Session, path: string): Promise<FileEntry[]> => {
    const response = await fetch(filePath(session, path), { headers: { accept: "application/json" } });
    if (!response.ok) throw await refusal(response);
    return ((await response.json()) as { entries: FileEntry[] }).entries;
  },
};

/** Every page of a list, or as many as are enough. The page's stream keeps it up to date from then on. */
async function all<T>(path: string, query = "", enough: (items: T[]) => boolean = () => false): Promise<T[]> {
  const items: T[] = [];
  let next = "";
  do {
    const page = await request<{ items: T[]; continue?: string | null }>("GET", `${path}?limit=500${query}${next}`);
    items.push(...page.items);
    next = page.continue ? `&continue=${encodeURIComponent(page.continue)}` : "";
  } while (next !== "" && !enough(items));
  return items;
}
