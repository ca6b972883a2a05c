// What the gateway tells beyond its OpenAPI document of today: questions, the archive and its messages. When schema.ts
// has these, types.ts takes them from there and this file goes.

import type { components } from "./schema";

type Schemas = components["schemas"];
type RunStatus = Schemas["RunStatus"];

export type QuestionKind = "Approval" | "Confirmation" | "Selection" | "Clarification" | "Review" | "ErrorResolution";

/** A question that stops a run until a human answers. */
export interface Question {
  id: string;
  kind: QuestionKind;
  question: string;
  options?: string[];
  askedAt: string;
  dueAt?: string;
}

export interface Answer {
  id: string;
  text: string;
  answeredBy?: string;
}

interface EscalationPolicy {
  timeoutSeconds?: number;
  onTimeout?: "Fail" | "Continue" | "Default";
  defaultAnswer?: string;
}

export type RunSpec = Schemas["RunSpec"] & { answers?: Answer[]; escalation?: EscalationPolicy };

export type Run = Omit<Schemas["Run"], "spec" | "status"> & {
  spec: RunSpec;
  status?: Omit<RunStatus, "phase"> & { phase?: RunStatus["phase"] | "Escalated"; escalation?: Question };
  /** The cluster has it no more: spec and status are the last that the archive knows. */
  archived?: boolean;
};

/** One record of a run's journal, as the archive keeps it. */
export interface Recorded {
  id: string | number;
  seq: number;
  type: "progress" | "completion" | "escalation" | "error";
  content: { message: string; metadata?: Record<string, unknown> };
  createdAt: string;
  readAt?: string | null;
}
