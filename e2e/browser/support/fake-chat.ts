// A fake runtime: `fabrica.chat.v1` as a script plays it, for what a real agent cannot be brought to do at will. It
// lives in the test's process, so it remembers while the page is reloaded. The page and its sockets are the real ones.

import type { Page, WebSocketRoute } from "@playwright/test";

const AT = Date.parse("2026-01-01T09:00:00Z");

export interface Heard {
  type: string;
  id?: string;
  content?: string;
  workId?: string;
  questionId?: string;
  text?: string;
  journalId?: string;
  after?: number;
  command?: boolean;
}

export interface Rights {
  role?: "view" | "control";
  mayAnswer?: boolean;
}

export class FakeRuntime {
  /** What clients said, but for pings. */
  readonly heard: Heard[] = [];
  /** What was typed into the terminal. */
  typed = "";
  agent = "idle";
  /** Why no workflow may begin. */
  refusal: string | undefined;
  journalId = "5bd4b1a1-04a5-8a8e-9f37-0e4b1d3a5c11";
  #records: object[] = [];
  /** Ids of messages, and of questions that are answered. */
  readonly #known = new Set<string>();
  readonly #sockets = new Set<WebSocketRoute>();
  #whole = true;

  private constructor(private readonly rights: Rights) {}

  /** Answers every chat of the page, and gives it a terminal that stands still. */
  static async serve(page: Page, rights: Rights = {}): Promise<FakeRuntime> {
    const runtime = new FakeRuntime(rights);
    await page.routeWebSocket(/\/chat$/, (socket) => runtime.#accept(socket));
    await page.routeWebSocket(/\/terminal$/, (socket) => still(socket, (text) => (runtime.typed += text)));
    return runtime;
  }

  /** Writes records and shows them. */
  tell(...bodies: object[]): this {
    for (const body of bodies) {
      const record = { seq: this.#records.length + 1, timestamp: this.#now(), ...body };
      this.#records.push(record);
      this.#send(record);
    }
    return this;
  }

  /** Says what is no record. */
  live(body: object): this {
    this.#send({ seq: this.#records.length, timestamp: this.#now(), ...body });
    return this;
  }

  agentIs(state: string, message?: string): this {
    this.agent = state;
    return this.live({ type: "agent", state, ...(message === undefined ? {} : { message }) });
  }

  /** Takes every line down; nobody gets through until it is mended. */
  cut(code = 1001): void {
    this.#whole = false;
    for (const socket of this.#sockets) void socket.close({ code, reason: "" });
    this.#sockets.clear();
  }

  mend(): void {
    this.#whole = true;
  }

  /** A pod without a volume was replaced: another journal begins. */
  begin(journalId: string): this {
    this.journalId = journalId;
    this.#records = [];
    return this;
  }

  #now(): string {
    return new Date(AT + this.#records.length * 1_000).toISOString();
  }

  #send(message: object): void {
    const text = JSON.stringify(message);
    for (const socket of this.#sockets) socket.send(text);
  }

  #accept(socket: WebSocketRoute): void {
    if (!this.#whole) return void socket.close({ code: 4503, reason: "ra=100 not ready" });
    socket.onMessage((data) => this.#hear(socket, JSON.parse(String(data)) as Heard));
    socket.onClose(() => void this.#sockets.delete(socket));
  }

  #hear(socket: WebSocketRoute, message: Heard): void {
    if (message.type === "ping") return this.#only(socket, { type: "pong", agent: this.agent });
    this.heard.push(message);
    switch (message.type) {
      case "hello":
        return this.#welcome(socket, message);
      case "user_message":
        if (this.#takes(String(message.id))) this.tell({ type: "user_message", id: message.id, author: "ada", content: message.content, state: "queued" });
        else this.#only(socket, { type: "error", code: "duplicate", message: "That one stands.", recoverable: true, ref: message.id });
        return;
      case "answer":
        if (this.#takes(`answer ${message.questionId ?? ""}`)) this.tell({ type: "question", questionId: message.questionId, state: "answered", text: message.text, answeredBy: "ada" });
        else this.#only(socket, { type: "error", code: "already_answered", message: "grace answered this question before.", recoverable: true, ref: message.questionId });
        return;
      case "start_workflow":
        if (this.refusal === undefined) this.tell({ type: "workflow_started", workId: message.workId, autonomy: "guarded", author: "ada" });
        else this.#only(socket, { type: "error", code: "workflow_running", message: this.refusal, recoverable: true, ref: message.id });
        return;
      case "interrupt":
        this.tell({ type: "progress", step: "turn", kind: "notice", text: "ada interrupted the agent." }).agentIs("idle");
    }
  }

  /** Somebody else answers. */
  answeredBy(author: string, questionId: string, text: string): this {
    this.#takes(`answer ${questionId}`);
    return this.tell({ type: "question", questionId, state: "answered", text, answeredBy: author });
  }

  /** Somebody else was first, and the page is not told yet. */
  occupy(questionId: string): this {
    this.#takes(`answer ${questionId}`);
    return this;
  }

  #takes(id: string): boolean {
    return this.#known.size < this.#known.add(id).size;
  }

  #welcome(socket: WebSocketRoute, { journalId, after = 0 }: Heard): void {
    const { role = "control", mayAnswer = true } = this.rights;
    this.#only(socket, { type: "welcome", journalId: this.journalId, author: "ada", role, mayAnswer, agent: this.agent, newest: this.#records.length });
    const same = journalId === this.journalId;
    if (!same) this.#only(socket, { type: "reset", journalId: this.journalId });
    for (const record of this.#records.slice(same ? after : 0)) socket.send(JSON.stringify(record));
    this.#only(socket, { type: "caught_up" });
    this.#sockets.add(socket);
  }

  #only(socket: WebSocketRoute, message: object): void {
    socket.send(JSON.stringify({ seq: this.#records.length, timestamp: this.#now(), ...message }));
  }
}

const WELCOME = 0x89;
const SNAPSHOT = 0x82;
const OUTPUT = 0x81;
const SCREEN = "\x1b[?2004h\x1b[32mdeveloper@talk\x1b[0m:\x1b[34m/workspace/repo\x1b[0m$ git log --oneline\r\n\x1b[33m3f1c2aa\x1b[0m Round to cents\r\n\x1b[33m91b07de\x1b[0m Begin the shop\r\n\x1b[32mdeveloper@talk\x1b[0m:\x1b[34m/workspace/repo\x1b[0m$ ";

/** A terminal whose screen never changes, at the prompt of a shell that tells what is pasted from what is typed. */
function still(socket: WebSocketRoute, onTyped: (text: string) => void): void {
  socket.onMessage((data) => {
    if (typeof data === "string") return;
    // Behind the head stands the offset of the first byte.
    if (data[0] === 0x01) onTyped(data.subarray(12).toString());
    if (data[0] !== 0x0c) return;
    const term = { id: 1, title: "bash", cwd: "/workspace/repo", alive: true, cols: 80, rows: 24, head: SCREEN.length, tail: 0, in_off: 0 };
    const limits = { max_frame: 65_536, window: 262_144, terminals: 16, clients: 16 };
    socket.send(Buffer.concat([frame(WELCOME, 0, 0), Buffer.from(JSON.stringify({ epoch: "00", conn_id: 1, role: "control", limits, terms: [term] }))]));
    const snapshot = frame(SNAPSHOT, 1, 13);
    snapshot.writeUInt16LE(80, 12);
    snapshot.writeUInt16LE(24, 14);
    socket.send(snapshot);
    socket.send(Buffer.concat([frame(OUTPUT, 1, 8), Buffer.from(SCREEN)]));
  });
}

function frame(type: number, terminal: number, size: number): Buffer {
  const bytes = Buffer.alloc(4 + size);
  bytes.writeUInt8(type, 0);
  bytes.writeUInt16LE(terminal, 2);
  return bytes;
}

/** A workflow as the journal has it, up to the release that somebody is asked to approve. */
export const STORY: object[] = [
  { type: "progress", step: "clone", kind: "finished", text: "Cloned repository, branch main", durationMs: 1240 },
  { type: "progress", step: "dependencies", kind: "started", text: "Installing dependencies beside the agent" },
  { type: "workflow_started", workId: "12", autonomy: "guarded" },
  { type: "phase_update", phase: "frame", status: "started", retry: 0 },
  { type: "claude_message", kind: "thinking", messageId: "thought-4", content: "The item says that invoices are a cent too low.\nI should find where the lines are summed up.", final: true },
  { type: "claude_message", kind: "text", messageId: "m-0", content: "Item **#12** asks for invoices that round to cents. I look at `src/invoice.ts` and its tests first.", final: true },
  { type: "todo_update", todos: [{ text: "Find where lines are summed up", status: "completed" }, { text: "Round to cents, half up", status: "inProgress" }, { text: "Cover it with tests", status: "pending" }] },
  { type: "phase_update", phase: "frame", status: "completed", retry: 0 },
  { type: "phase_update", phase: "architect", status: "started", retry: 0 },
  { type: "claude_message", kind: "tool_use", messageId: "t-1", final: true, name: "Read", input: "src/invoice.ts" },
  { type: "claude_message", kind: "tool_result", messageId: "t-1", content: "export function sum(lines) {\n  return lines.reduce((total, line) => total + Math.floor(line.price * 100) / 100, 0);\n}", final: true, isError: false, durationMs: 14 },
  { type: "claude_message", kind: "text", messageId: "m-1", content: "The plan:\n\n1. Sum in cents, as integers.\n2. Round **half up**, once, at the end.\n\n```ts\nexport function sum(lines: Line[]): number {\n  const cents = lines.reduce((total, line) => total + line.price * 100, 0);\n  return Math.round(cents) / 100;\n}\n```\n\n| case | before | after |\n|---|---|---|\n| 3 × 3.335 | 9.99 | 10.01 |", final: true },
  { type: "phase_update", phase: "architect", status: "completed", retry: 0 },
  { type: "phase_update", phase: "build", status: "started", step: "sum in cents", retry: 0 },
  { type: "user_message", id: "u-1", author: "grace", content: "Leave the public function's name as it is, please.", state: "queued" },
  { type: "user_message", id: "u-1", state: "started" },
  { type: "claude_message", kind: "tool_use", messageId: "t-2", final: true, name: "Edit", input: "src/invoice.ts" },
  { type: "claude_message", kind: "tool_result", messageId: "t-2", content: "The file was updated.", final: true, isError: false, durationMs: 22 },
  { type: "claude_message", kind: "tool_use", messageId: "t-3", final: true, name: "Bash", input: "npm test -- rounding" },
  { type: "claude_message", kind: "tool_result", messageId: "t-3", content: "FAIL src/invoice.test.ts\n  expected 10.01, got 10.00\n\nTests: 1 failed, 41 passed", final: true, isError: true, durationMs: 3180 },
  { type: "phase_update", phase: "build", status: "completed", retry: 0 },
  { type: "phase_update", phase: "evaluate", status: "started", retry: 0 },
  { type: "phase_update", phase: "evaluate", status: "failed", message: "One test of rounding fails.", retry: 0 },
  { type: "phase_update", phase: "build", status: "started", step: "round once", retry: 1 },
  { type: "user_message", id: "u-1", state: "completed" },
  { type: "claude_message", kind: "text", messageId: "m-2", content: "The tests pass now: rounding happened in two places. See [the rule](https://example.com/rounding).", final: true },
  { type: "todo_update", todos: [{ text: "Find where lines are summed up", status: "completed" }, { text: "Round to cents, half up", status: "completed" }, { text: "Cover it with tests", status: "completed" }] },
  { type: "phase_update", phase: "build", status: "completed", retry: 1 },
  { type: "phase_update", phase: "evaluate", status: "started", retry: 1 },
  { type: "phase_update", phase: "evaluate", status: "completed", retry: 1 },
  { type: "phase_update", phase: "release", status: "started", retry: 0 },
  { type: "usage", models: { "model-a": { input: 18_204, output: 3_117, cacheRead: 90_012, cacheWrite: 8_000 } }, estimatedCostUSD: "0.1342" },
];

export const APPROVAL = { type: "question", questionId: "approve-release-1", state: "open", kind: "approval", question: "May the pull request be opened?", options: ["approve", "reject"] };

export const DONE: object[] = [
  { type: "progress", step: "push", kind: "finished", text: "Pushed the branch fabrica/1a2b3c4d", durationMs: 310 },
  { type: "phase_update", phase: "release", status: "completed", retry: 0 },
  { type: "workflow_complete", exitCode: 0, summary: "Invoices round to cents, **half up**, in one place.", prUrl: "https://git.example.com/shop/pulls/3", costUsd: "0.1342" },
];
