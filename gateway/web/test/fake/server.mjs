// A fake gateway for working on the page: `npm run fake`, then `npm run dev` (or open it: it serves dist/ too). Any
// token logs in but `wrong`. It keeps everything in memory and checks next to nothing.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, normalize } from "node:path";
import { WebSocketServer } from "ws";
import { Journals } from "./journal.mjs";
import { serveTerminal } from "./kterm.mjs";
import { exampleRuns } from "./runs.mjs";
import { exampleSessions } from "./sessions.mjs";

const PORT = Number(process.env.PORT ?? 8099);
const DIST = new URL("../../dist/", import.meta.url);
const CSP = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2" };

const sessions = exampleSessions();
const runs = exampleRuns();
const journals = new Journals();
const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => "kterm.v1" });
const files = new Map([["repo/README.md", Buffer.from("# Checkout\n")], ["repo/Cargo.toml", Buffer.from("[package]\n")], ["repo/src/main.rs", Buffer.from("fn main() {}\n")], ["notes.txt", Buffer.from("hello\n")]]);
let empty = false;

const server = createServer((request, response) => {
  handle(request, response).catch((error) => {
    response.writeHead(500).end(String(error));
  });
});

async function handle(request, response) {
  const url = new URL(request.url, "http://fake");
  if (!url.pathname.startsWith("/api/")) return page(url.pathname, response);
  if (url.pathname === "/api/v1/fake/empty") return void ((empty = !empty), answer(response, 200, { empty }));
  const path = url.pathname.slice("/api/v1".length);
  if (path === "/login") return login(await body(request), response);
  if (path === "/logout") return void response.writeHead(204, { "set-cookie": "fake=; Path=/; Max-Age=0" }).end();
  if (!knows(request)) return problem(response, 401, "Log in first.");
  if (path === "/me") return answer(response, 200, { username: "system:serviceaccount:demo:ada", groups: [], expiresAt: "2030-01-01T00:00:00Z", defaultNamespace: "demo", chatEnabled: true, defaultBudgetUSD: "5.00", namespaces: ["demo", "team-b"].map((name) => ({ name, createSessions: true, createRuns: true })) });
  if (path === "/sessions") return answer(response, 200, { items: visible() });
  if (path === "/runs") return answer(response, 200, { items: listedRuns(url.searchParams) });
  if (path === "/events") return events(response);
  if (path.startsWith("/forges")) return searchForge(path, url.searchParams.get("q") ?? "", response);
  const run = /^\/namespaces\/([^/]+)\/runs(?:\/([^/]+))?(\/.*)?$/.exec(path);
  if (run !== null) return actOnRun(request, run, url.searchParams, response);
  const [, namespace, name, rest = ""] = /^\/namespaces\/([^/]+)\/sessions(?:\/([^/]+))?(\/.*)?$/.exec(path) ?? [];
  if (namespace === undefined) return problem(response, 404, "There is no such address.");
  if (name === undefined && request.method === "GET") return answer(response, 200, { items: visible().filter((session) => session.namespace === namespace) });
  if (name === undefined) return create(namespace, await body(request), response);
  const found = sessions.get(namespace, name);
  if (found === undefined) return problem(response, 404, "There is no such session.");
  if (rest.startsWith("/files")) return file(request, decodeURIComponent(rest.slice("/files/".length)), response);
  return act(request.method, rest, found.session, response);
}

const knows = ({ headers }) => headers.cookie?.includes("fake=1") === true || headers.authorization !== undefined;

const visible = () => (empty ? [] : [...sessions.all.values()].map(({ session }) => session));

function act(method, rest, session, response) {
  if (method === "DELETE") {
    sessions.remove(session.namespace, session.name);
    return answer(response, 202, session);
  }
  if (rest.startsWith("/messages")) return problem(response, 409, "There is no database here.");
  if (rest === "/suspend") {
    session.spec = { ...session.spec, operatingMode: "Suspended" };
    sessions.stop(session, "Suspended", "spec.operatingMode is Suspended.");
  }
  if (rest === "/resume") {
    session.spec = { ...session.spec, operatingMode: "Running", wakeTime: new Date().toISOString() };
    sessions.start(session);
  }
  return answer(response, 200, session);
}

const listedRuns = (query) => [...visibleRuns(), ...(query.has("archived") ? runs.archived.values() : [])];

const visibleRuns = () => (empty ? [] : [...runs.all.values()]);

async function actOnRun(request, [, namespace, name, rest = ""], query, response) {
  if (name === undefined && request.method === "GET") return answer(response, 200, { items: listedRuns(query).filter((run) => run.namespace === namespace) });
  if (name === undefined) return answer(response, 201, createRun(namespace, await body(request)));
  const run = runs.get(namespace, name) ?? runs.archived.get(`${namespace}/${name}`);
  if (run === undefined) return problem(response, 404, "There is no such run.");
  if (rest === "/messages") return answer(response, 200, { items: await journals.wait(run, query, request) });
  if (rest === "/messages/read") return void (journals.read(run, (await body(request)).through), answer(response, 200, {}));
  if (rest === "/answers") return answerRun(run, await body(request), response);
  if (request.method === "DELETE") {
    runs.remove(run);
    return void response.writeHead(204).end();
  }
  if (rest === "/retry") return answer(response, 201, createRun(namespace, { generateName: `${name}-`, spec: { ...run.spec, ...(await body(request)) } }));
  if (rest === "/cancel") {
    run.spec = { ...run.spec, desiredState: "Cancelled" };
    runs.changed(run);
    setTimeout(() => runs.end(run, "Cancelled", "Cancelled", "Somebody cancelled it."), 800);
  }
  return answer(response, 200, run);
}

/** Who answers `forbidden` is told what somebody without the right is told. */
function answerRun(run, { id, text }, response) {
  if (text === "forbidden") return problem(response, 403, 'runs.fabrica.dev "answers" is forbidden: ada may not create it.');
  if (text.length > 2048) return problem(response, 422, "The answer is not valid.", [{ field: "text", message: "text must have at most 4096 bytes" }]);
  if (run.status?.escalation?.id !== id || run.spec.answers?.some((each) => each.id === id)) return problem(response, 409, "This question is answered already.");
  const given = { id, text, answeredBy: "system:serviceaccount:demo:ada" };
  runs.answer(run, given);
  setTimeout(() => journals.answered(run, given), 1500);
  return answer(response, 200, run);
}

function createRun(namespace, { name, generateName = "run-", spec }) {
  const run = runs.add(namespace, name ?? `${generateName}${Math.random().toString(36).slice(2, 7)}`, { ...spec, desiredState: "Running" }, undefined);
  setTimeout(() => runs.start(run), 400);
  return run;
}

const FORGE = { id: 0, kind: "Gitea", url: "https://git.example.com", authenticated: true };
const REPOSITORIES = ["platform/checkout", "platform/search", "team/notes"].map((name) => ({ name, url: `${FORGE.url}/${name}.git`, private: name.startsWith("team") }));
const ITEMS = ["The door squeaks", "Round to cents", "Index the catalogue"].map((title, at) => ({ number: 12 + at, title, open: at < 2 }));

function searchForge(path, words, response) {
  if (path === "/forges") return answer(response, 200, { items: [FORGE] });
  const fits = (text) => text.toLowerCase().includes(words.toLowerCase());
  const items = path.endsWith("/work-items") ? ITEMS.filter(({ number, title }) => fits(title) || fits(`#${number}`)) : REPOSITORIES.filter(({ name }) => fits(name));
  return answer(response, 200, { items });
}

function login({ token }, response) {
  if (token === "wrong" || token === "not-a-token") return problem(response, 401, "The API server does not accept this token.");
  response.writeHead(200, { "content-type": "application/json", "set-cookie": "fake=1; Path=/; HttpOnly; SameSite=Strict" }).end('{"username":"ada","expiresAt":"2030-01-01T00:00:00Z"}');
}

function create(namespace, { name, generateName = "session-", spec }, response) {
  const chosen = name ?? `${generateName}${Math.random().toString(36).slice(2, 7)}`;
  if (sessions.get(namespace, chosen)) return problem(response, 409, "A session of this name exists.", [{ field: "metadata.name", message: `sessions "${chosen}" already exists` }]);
  if (spec.image === "refused") return problem(response, 422, "The session is not valid.", [{ field: "spec.image", message: "image is refused by the fake gateway" }]);
  const session = sessions.add(namespace, chosen, spec, undefined);
  setTimeout(() => sessions.start(session), 400);
  return answer(response, 201, session);
}

function events(response) {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  const send = (event, data) => response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  send("snapshot", { sessions: visible(), runs: visibleRuns() });
  const onSession = (session) => send("session", session);
  const onRun = (run) => send("run", run);
  const onDeleted = (deleted) => send("deleted", deleted);
  const ping = setInterval(() => response.write(": ping\n\n"), 15_000);
  sessions.on("session", onSession).on("deleted", onDeleted);
  runs.on("run", onRun).on("deleted", onDeleted);
  response.on("close", () => {
    clearInterval(ping);
    sessions.off("session", onSession).off("deleted", onDeleted);
    runs.off("run", onRun).off("deleted", onDeleted);
  });
}

async function file(request, path, response) {
  if (request.method === "PUT") {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    files.set(path, Buffer.concat(chunks));
    return void response.writeHead(204).end();
  }
  if (files.has(path)) return void response.writeHead(200, { "content-type": "application/octet-stream" }).end(files.get(path));
  const inside = [...files].filter(([each]) => path === "" || each.startsWith(`${path}/`)).map(([each, data]) => [each.slice(path === "" ? 0 : path.length + 1), data]);
  if (inside.length === 0) return problem(response, 404, `There is no file /workspace/${path}.`);
  const entries = new Map();
  for (const [each, data] of inside) {
    const [first, ...more] = each.split("/");
    entries.set(first, { name: first, kind: more.length > 0 ? "directory" : "file", size: data.length, modified: new Date().toISOString() });
  }
  return answer(response, 200, { entries: [...entries.values()] });
}

async function page(path, response) {
  const wanted = extname(path) === "" ? "index.html" : normalize(path).replace(/^[/.]+/, "");
  try {
    const content = await readFile(new URL(wanted, DIST));
    response.writeHead(200, { "content-type": TYPES[extname(wanted)] ?? "application/octet-stream", "content-security-policy": CSP }).end(content);
  } catch {
    response.writeHead(404).end();
  }
}

async function body(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return JSON.parse(text || "{}");
}

function answer(response, status, value) {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function problem(response, status, detail, errors) {
  response.writeHead(status, { "content-type": "application/problem+json" }).end(JSON.stringify({ type: "about:blank", title: detail, status, detail, errors }));
}

server.on("upgrade", (request, socket, head) => {
  const [, namespace, name] = /^\/api\/v1\/namespaces\/([^/]+)\/sessions\/([^/]+)\/terminal$/.exec(request.url) ?? [];
  const found = sessions.get(namespace, name);
  sockets.handleUpgrade(request, socket, head, (client) => {
    if (found === undefined) return client.close(4404, "no such session");
    if (!knows(request)) return client.close(4401, "not logged in");
    if (found.session.status?.phase !== "Running") return client.close(4503, "ra=1000 not ready");
    serveTerminal(client, found.pod);
  });
});

server.listen(PORT, "127.0.0.1", () => console.log(`fake gateway on http://127.0.0.1:${PORT}`));
