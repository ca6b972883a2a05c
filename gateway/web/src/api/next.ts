// What the gateway tells beyond its OpenAPI document of today: questions, the archive and its messages. When schema.ts
// has these, types.ts takes them from there and this file goes.

import type { components } from "./schema";

type Schemas = components["schemas"];
type RunStatus = Schemas["RunStatus"];

type QuestionKind = "Approval" | "Confirmation" | "Selection" | "Clarification" | "Review" | "ErrorResolution";

/** A question that stops a run until a human answers. */
export interface OpenQuestion {
  id: string;
  kind: QuestionKind;
  question: string;
  options?: string[];
  askedAt: string;
  dueAt: string;
}

export interface Answer {
  id: string;
  text: string;
  answeredBy?: string;
}

interface Escalation {
  timeoutSeconds?: number;
  onTimeout?: "Fail" | "Continue" | "Default";
  defaultAnswer?: string;
}

export type RunSpec = Schemas["RunSpec"] & { answers?: Answer[]; escalation?: Escalation };

export type Run = Omit<Schemas["Run"], "spec" | "status"> & {
  spec: RunSpec;
  status?: Omit<RunStatus, "phase"> & { phase?: RunStatus["phase"] | "Escalated"; escalation?: OpenQuestion };
  /** The cluster has it no more: spec and status are the last that the archive knows. */
  archived?: boolean;
};

/** What a run told: a record of its journal, or where there is no archive what its status keeps. */
export interface RunMessage {
  id: string;
  sessionId: string;
  seq: number;
  type: "progress" | "completion" | "escalation" | "error";
  content: { message: string; metadata: Record<string, unknown> };
  createdAt: string;
  readAt?: string;
}
