// Requests to the gateway. Every refusal becomes an ApiError that carries the API's own words.

import type { FieldError, FileEntry, Me, NewSession, Problem, Session } from "./types";

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

async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await send(method, path, body);
  if (response.ok) return (response.status === 204 ? undefined : await response.json().catch(() => undefined)) as T;
  throw await refusal(response);
}

async function send(method: string, path: string, body: unknown): Promise<Response> {
  try {
    return await fetch(BASE + path, {
      method,
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

export function sessionPath(session: { namespace: string; name: string }): string {
  return `/namespaces/${encodeURIComponent(session.namespace)}/sessions/${encodeURIComponent(session.name)}`;
}

export function filePath(session: { namespace: string; name: string }, path: string): string {
  const encoded = path.split("/").filter(Boolean).map(encodeURIComponent).join("/");
  return `${BASE}${sessionPath(session)}/files/${encoded}`;
}

export const api = {
  login: (token: string) => request<undefined>("POST", "/login", { token }),
  logout: () => request<undefined>("POST", "/logout"),
  me: () => request<Me>("GET", "/me"),
  sessions: allSessions,
  session: (at: { namespace: string; name: string }) => request<Session>("GET", sessionPath(at)),
  create: (namespace: string, session: NewSession) =>
    request<Session>("POST", `/namespaces/${encodeURIComponent(namespace)}/sessions`, session),
  remove: (session: Session) => request<undefined>("DELETE", sessionPath(session)),
  suspend: (session: Session) => request<Session>("POST", `${sessionPath(session)}/suspend`),
  resume: (session: Session) => request<Session>("POST", `${sessionPath(session)}/resume`),
  list: async (session: Session, path: string): Promise<FileEntry[]> => {
    const response = await fetch(filePath(session, path), { headers: { accept: "application/json" } });
    if (!response.ok) throw await refusal(response);
    return ((await response.json()) as { entries: FileEntry[] }).entries;
  },
};

/** Every page of the list. The page's stream keeps it up to date from then on. */
async function allSessions(): Promise<Session[]> {
  const sessions: Session[] = [];
  let next = "";
  do {
    const page = await request<{ items: Session[]; continue?: string | null }>("GET", `/sessions?limit=500${next}`);
    sessions.push(...page.items);
    next = page.continue ? `&continue=${encodeURIComponent(page.continue)}` : "";
  } while (next !== "");
  return sessions;
}
