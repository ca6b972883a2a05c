// `fabrica.chat.v1` as the page speaks it: JSON in text frames. The runtime's side is gateway/protocol;
// docs/developer/protocol-chat.md says what each message means.

export const SUBPROTOCOL = "fabrica.chat.v1";

/** The bounds of the runtime, in bytes of UTF-8. */
export const MESSAGE_BYTES = 64 * 1024;
export const ANSWER_BYTES = 4096;
export const WORK_ID_BYTES = 50;

export type AgentState = "starting" | "idle" | "working" | "waiting" | "restarting" | "stopped" | "failed";

export type MessageState = "queued" | "started" | "completed" | "cancelled";
export type PhaseStatus = "started" | "completed" | "failed" | "skipped";
export type TodoStatus = "pending" | "inProgress" | "completed";

export interface Todo {
  text: string;
  status: TodoStatus;
}

/** Tokens by class. */
export interface Tokens {
  input: number;
  output: number;
  cacheRead: number;
  cacheWrite: number;
}

export type ClientMessage =
  | { type: "hello"; journalId?: string; after?: number; visible: boolean }
  | { type: "user_message"; id: string; content: string; command?: boolean }
  | { type: "start_workflow"; id: string; workId: string }
  | { type: "interrupt" }
  | { type: "answer"; questionId: string; text: string }
  | { type: "ping"; visible: boolean };

/** Every message has the number of the record that it shows; what is live only has the number of the newest record. */
interface Base {
  seq: number;
  timestamp: string;
}

export type Welcome = Base & { type: "welcome"; journalId: string; author: string; role: "view" | "control"; mayAnswer: boolean; agent: AgentState; newest: number };
export type Text = Base & { type: "claude_message"; kind: "text" | "thinking"; messageId: string; content?: string; final: true };
export type Delta = Base & { type: "claude_message"; kind: "text"; messageId: string; delta?: string; final: false };
export type ToolUse = Base & { type: "claude_message"; kind: "tool_use"; messageId: string; final: true; name?: string; input?: string };
export type ToolResult = Base & { type: "claude_message"; kind: "tool_result"; messageId: string; content?: string; final: true; isError?: boolean; durationMs?: number };
export type ToolAudit = Base & { type: "tool_audit"; messageId?: string; server: string; tool: string; outcome: string; subject?: string; durationMs: number };
export type UserMessage = Base & { type: "user_message"; id: string; state: MessageState; author?: string; content?: string };
export type WorkflowStarted = Base & { type: "workflow_started"; workId: string; autonomy: string; author?: string };
export type PhaseUpdate = Base & { type: "phase_update"; phase: string; status: PhaseStatus; retry: number; step?: string; message?: string };
export type TodoUpdate = Base & { type: "todo_update"; todos: Todo[] };
export type OpenQuestion = Base & { type: "question"; questionId: string; state: "open"; kind?: string; question?: string; options?: string[] };
export type AnsweredQuestion = Base & { type: "question"; questionId: string; state: "answered"; text?: string; answeredBy?: string };
export type Progress = Base & { type: "progress"; step: string; kind: string; text: string; durationMs?: number };
export type Usage = Base & { type: "usage"; models: Record<string, Tokens>; estimatedCostUSD: string };
export type Agent = Base & { type: "agent"; state: AgentState; message?: string };
export type Trouble = Base & { type: "error"; code: string; message: string; recoverable: boolean; ref?: string };
export type Complete = Base & { type: "workflow_complete"; exitCode: number; summary: string; prUrl?: string; costUsd: string };

export type ServerMessage =
  | Welcome
  | (Base & { type: "reset"; journalId: string })
  | (Base & { type: "caught_up" })
  | Text
  | Delta
  | ToolUse
  | ToolResult
  | ToolAudit
  | UserMessage
  | WorkflowStarted
  | PhaseUpdate
  | TodoUpdate
  | OpenQuestion
  | AnsweredQuestion
  | Progress
  | Usage
  | Agent
  | Trouble
  | (Base & { type: "pong"; agent?: AgentState })
  | Complete;

type Shape = Record<string, "string" | "number" | "boolean" | "array" | "object">;

/** What a message must hold to be drawn. The rest is optional, and is looked at where it is used. */
const SHAPES: Record<ServerMessage["type"], Shape> = {
  welcome: { journalId: "string", author: "string", role: "string", mayAnswer: "boolean", agent: "string" },
  reset: { journalId: "string" },
  caught_up: {},
  claude_message: { kind: "string", messageId: "string", final: "boolean" },
  tool_audit: { server: "string", tool: "string", outcome: "string", durationMs: "number" },
  user_message: { id: "string", state: "string" },
  workflow_started: { workId: "string", autonomy: "string" },
  phase_update: { phase: "string", status: "string", retry: "number" },
  todo_update: { todos: "array" },
  question: { questionId: "string", state: "string" },
  progress: { step: "string", kind: "string", text: "string" },
  usage: { models: "object", estimatedCostUSD: "string" },
  agent: { state: "string" },
  error: { code: "string", message: "string" },
  pong: {},
  workflow_complete: { exitCode: "number", summary: "string" },
};

/** A message that came; "unknown" when a newer runtime says what this page does not know; undefined when it is none. */
export function parse(data: unknown): ServerMessage | "unknown" | undefined {
  const value = typeof data === "string" ? json(data) : undefined;
  if (typeof value !== "object" || value === null) return undefined;
  const fields: ReadonlyMap<string, unknown> = new Map(Object.entries(value));
  const type = fields.get("type");
  if (typeof type !== "string" || typeof fields.get("seq") !== "number" || typeof fields.get("timestamp") !== "string") return undefined;
  const shape = Object.hasOwn(SHAPES, type) ? SHAPES[type as ServerMessage["type"]] : undefined;
  if (shape === undefined) return "unknown";
  const fits = Object.entries(shape).every(([name, kind]) => (kind === "array" ? Array.isArray(fields.get(name)) : typeof fields.get(name) === kind && fields.get(name) !== null));
  return fits ? (value as ServerMessage) : undefined;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
