// A gateway within the page, for what a cluster cannot be brought to say at will: a question that is answered the moment
// it is asked, a refusal, a run of long ago, thousands of messages. The page and its requests are the real ones.

import type { Page } from "@playwright/test";

export interface World {
  runs: object[];
  sessions?: object[];
  /** Runs that the cluster has no more. */
  archived?: object[];
  /** What was told: of the run, or what the archive keeps of the session. Without any there is no archive. */
  messages?: object[];
  /** How answers are answered; a problem when its status says so. */
  onAnswer?: { status: number; body: object };
}

/** What the page sent that changes something, the oldest first. */
export interface Sent {
  path: string;
  body: Record<string, unknown>;
}

declare global {
  interface Window {
    world: { sent: Sent[]; tell: (run: object) => void; tellSession: (session: object) => void; say: (message: object) => void };
  }
}

/** Puts the gateway into every document that the page will load. */
export async function inhabit(page: Page, world: World): Promise<void> {
  await page.addInitScript(({ runs, sessions = [], archived = [], messages = [], onAnswer }) => {
    const real = window.fetch.bind(window);
    const encoder = new TextEncoder();
    let stream: ReadableStreamDefaultController | undefined;
    const event = (name: string, data: object): void => stream?.enqueue(encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`));
    const json = (body: object, status = 200): Response => new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
    const said = messages as { seq: number; readAt?: string }[];
    window.world = { sent: [], tell: (run) => event("run", run), tellSession: (session) => event("session", session), say: (message) => said.push(message as { seq: number }) };

    const page = (query: URLSearchParams): object[] => {
      const after = Number(query.get("after"));
      const wanted = said.filter(({ seq, readAt }) => seq > after && (query.get("unread") !== "true" || readAt === undefined));
      return wanted.slice(0, Number(query.get("limit")));
    };
    /** Like the gateway's: it answers as soon as there is something. */
    const wait = async (query: URLSearchParams, signal: AbortSignal | null | undefined): Promise<Response> => {
      const until = Date.now() + Number(query.get("wait")) * 1000;
      while (page(query).length === 0 && Date.now() < until && signal?.aborted !== true) await new Promise((resolve) => setTimeout(resolve, 50));
      return json({ items: page(query) });
    };
    /** Like the gateway's: a part at a time, in any case of the letters. */
    const find = (query: URLSearchParams): Response => {
      if (said.length === 0) return json({ title: "Conflict", status: 409 }, 409);
      const words = String(query.get("words")).toLowerCase();
      const all = said as { seq: number; content?: { message: string } }[];
      const found = all.filter(({ seq, content }) => seq > Number(query.get("after")) && content?.message.toLowerCase().includes(words));
      const items = found.slice(0, 100);
      return json(found.length > items.length ? { items, next: items.at(-1)?.seq } : { items });
    };
    /** As the gateway does: the wish at once, and what comes of it later. */
    const cancelled = (path: string): object => {
      const found = (runs as { name: string; resourceVersion: string; spec: object }[]).find(({ name }) => path.endsWith(`/runs/${name}/cancel`));
      return { ...found, resourceVersion: String(Number(found?.resourceVersion) + 1), spec: { ...found?.spec, desiredState: "Cancelled" } };
    };
    const change = (path: string, body: Record<string, unknown>): Response => {
      window.world.sent.push({ path, body });
      if (path.endsWith("/answers")) return json(onAnswer?.body ?? {}, onAnswer?.status);
      if (path.endsWith("/cancel")) return json(cancelled(path));
      said.forEach((message) => (message.readAt ??= message.seq <= Number(body.through) ? "2026-01-01T00:00:00Z" : (undefined as unknown as string)));
      return json({ marked: 1 });
    };
    /** As the gateway does: the spec at once, and what comes of it later. */
    const switchAgent = (path: string, body: Record<string, unknown>): Response => {
      window.world.sent.push({ path, body });
      const all = sessions as { name: string; resourceVersion: string; spec: object }[];
      const at = all.findIndex(({ name }) => path.endsWith(`/sessions/${name}/agent`));
      const found = all[at];
      if (found === undefined) return json({ title: "Not Found", status: 404 }, 404);
      all[at] = { ...found, resourceVersion: String(Number(found.resourceVersion) + 1), spec: { ...found.spec, agentState: body.state } };
      return json(all[at]);
    };
    window.fetch = async (input, init) => {
      const url = new URL(String(input), location.href);
      const path = url.pathname.replace("/api/v1", "");
      if (path === "/events") {
        const body = new ReadableStream({ start: (controller) => void (stream = controller) });
        event("snapshot", { sessions, runs });
        return new Response(body, { headers: { "content-type": "text/event-stream" } });
      }
      if (path === "/sessions") return json({ items: sessions });
      if (path.endsWith("/runs")) return json({ items: url.searchParams.has("archived") ? [...runs, ...archived] : runs });
      if (path.endsWith("/messages/search")) return find(url.searchParams);
      if (path.endsWith("/messages")) return wait(url.searchParams, init?.signal);
      if (init?.method === "POST" && path.endsWith("/agent")) return switchAgent(path, JSON.parse(String(init.body)) as Record<string, unknown>);
      if (init?.method === "POST" && path.includes("/runs/")) return change(path, JSON.parse(String(init.body ?? "{}")) as Record<string, unknown>);
      const kept = archived.find((run) => path.endsWith(`/runs/${(run as { name: string }).name}`));
      if (path.includes("/runs/")) return kept === undefined ? json({ title: "Not Found", status: 404, detail: "This run does not exist, or you may not see it." }, 404) : json(kept);
      return real(input, init);
    };
  }, world);
}

const AT = "2026-01-01T09:00:00Z";

/** A run in some state. */
export function run(name: string, part: { status?: object; spec?: object; archived?: boolean } = {}): object {
  const { status = {}, spec = {}, ...rest } = part;
  return {
    namespace: "demo",
    name,
    uid: `uid-${name}`,
    createdAt: AT,
    generation: 1,
    resourceVersion: "1",
    spec: { repository: { url: "https://git.example.com/shop" }, plan: "# Plan\n", title: `Title of ${name}`, ...spec },
    status: { phase: "Running", startedAt: AT, conditions: [], attempts: [{ number: 1, podName: `${name}-run-1`, startedAt: AT }], ...status },
    ...rest,
  };
}

/** A session in Chat mode that can be spoken to. */
export function chatSession(name: string, spec: object = {}): object {
  return {
    namespace: "demo",
    name,
    uid: `uid-${name}`,
    createdAt: AT,
    generation: 1,
    resourceVersion: "1",
    spec: { mode: "Chat", workId: "12", repository: { url: "https://git.example.com/shop", forge: "Gitea" }, workspace: { size: "2Gi" }, agent: { budgetUSD: "2.50" }, ...spec },
    status: { phase: "Running", conditions: [{ type: "Ready", status: "True", reason: "Ready", message: "The agent can be spoken to.", lastTransitionTime: AT }] },
  };
}

/** A session in Terminal mode, with these conditions beside Ready. */
export function terminalSession(name: string, part: { spec?: object; conditions?: object[]; resourceVersion?: string } = {}): object {
  const { spec = {}, conditions = [], resourceVersion = "1" } = part;
  return {
    namespace: "demo",
    name,
    uid: `uid-${name}`,
    createdAt: AT,
    generation: 1,
    resourceVersion,
    spec: { mode: "Terminal", repository: { url: "https://git.example.com/shop", forge: "Gitea" }, workspace: { size: "2Gi" }, ...spec },
    status: { phase: "Running", conditions: [{ type: "Ready", status: "True", reason: "Ready", message: "A terminal can be used.", lastTransitionTime: AT }, ...conditions] },
  };
}

/** How the agent of a terminal stands. */
export function agentReady(status: "True" | "False", reason: string, message: string): object {
  return { type: "AgentReady", status, reason, message, lastTransitionTime: AT };
}

/** A message of a journal. */
export function told(seq: number, kind: string, message: string, metadata: object = {}, type = "progress"): object {
  return { id: String(seq), sessionId: "uid", seq, type, content: { message, metadata: { kind, ...metadata } }, createdAt: AT };
}

/** So many messages as an agent makes them: what it says, and calls with their answers. */
export function longStory(count: number): object[] {
  return Array.from({ length: count }, (_, at) => {
    const call = { id: `call-${Math.floor(at / 3)}` };
    if (at % 3 === 0) return told(at + 1, "said", `Step ${at / 3}: look at file ${at}, then at what its tests say.`);
    if (at % 3 === 1) return told(at + 1, "toolStarted", `npm test -- file-${at - 1}`, { ...call, name: "Bash" });
    return told(at + 1, "toolFinished", `ok ${at}\n`.repeat(20), { ...call, failed: at % 30 === 2 });
  });
}
