// The REST API, for preparing and cleaning up. What is tested goes through the page.

import { environment, PREFIX } from "./environment";

export interface Session {
  namespace: string;
  name: string;
  status?: { phase?: string; conditions?: { type: string; status: string }[] };
}

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const { url, token } = environment();
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json().catch(() => undefined)) as T;
}

let found: Promise<string> | undefined;

/** The namespace the token works in. */
export function namespace(): Promise<string> {
  found ??= call<{ defaultNamespace?: string; namespaces: { name: string; createSessions: boolean }[] }>("GET", "/me").then((me) => {
    const name = me.defaultNamespace ?? me.namespaces.find((each) => each.createSessions)?.name;
    if (name === undefined) throw new Error("the token may create sessions nowhere");
    return name;
  });
  return found;
}

export async function createSession(name: string, spec: object): Promise<void> {
  await call("POST", `/namespaces/${await namespace()}/sessions`, { name, spec });
}

export async function getSession(name: string): Promise<Session> {
  return call("GET", `/namespaces/${await namespace()}/sessions/${name}`);
}

/** Waits until a session can be used. */
export async function untilReady(name: string): Promise<void> {
  const deadline = Date.now() + 90_000;
  for (;;) {
    const session = await getSession(name);
    if (session.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True")) return;
    if (Date.now() > deadline) throw new Error(`${name} is not ready: ${JSON.stringify(session.status)}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

export async function removeSession(name: string): Promise<void> {
  await call("DELETE", `/namespaces/${await namespace()}/sessions/${name}`).catch(() => undefined);
}

export async function createRun(name: string, spec: object): Promise<void> {
  await call("POST", `/namespaces/${await namespace()}/runs`, { name, spec });
}

/** Waits until a run has ended, however it did. */
export async function untilRunEnds(name: string): Promise<void> {
  const deadline = Date.now() + 90_000;
  for (;;) {
    const run = await call<{ status?: { finishedAt?: string } }>("GET", `/namespaces/${await namespace()}/runs/${name}`);
    if (run.status?.finishedAt !== undefined) return;
    if (Date.now() > deadline) throw new Error(`${name} has not ended: ${JSON.stringify(run.status)}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

export async function removeRun(name: string): Promise<void> {
  await call("DELETE", `/namespaces/${await namespace()}/runs/${name}`).catch(() => undefined);
}

export async function removeOurs(): Promise<void> {
  const { items } = await call<{ items: Session[] }>("GET", `/namespaces/${await namespace()}/sessions?limit=500`);
  const ours = items.filter(({ name }) => name.startsWith(PREFIX));
  await Promise.all(ours.map(({ name }) => removeSession(name)));
  const runs = await call<{ items: { name: string }[] }>("GET", `/namespaces/${await namespace()}/runs?limit=500`);
  await Promise.all(runs.items.filter(({ name }) => name.startsWith(PREFIX)).map(({ name }) => removeRun(name)));
}
