// What the runtime saw of a call of one of its own tools, beside what the agent's program says of it. Pure.

import { milliseconds } from "../session/time";

export interface Audit {
  server: string;
  tool: string;
  /** `ok`, `refused` (it may not be done, or not now), `failed`. */
  outcome: string;
  /** What it was about, in a few words. */
  subject: string | undefined;
  durationMs: number;
}

export function auditWords({ server, tool, outcome, subject, durationMs }: Audit): string {
  const about = subject === undefined ? "" : ` (${subject})`;
  return `${server} ${tool}${about}: ${outcome} after ${milliseconds(durationMs)}`;
}

/** The call itself, as long as nobody else has told of it. */
export function calledBy({ server, tool, outcome, subject = "", durationMs }: Audit) {
  return { name: `${server} ${tool}`, input: subject, answer: { output: "", failed: outcome !== "ok", durationMs } };
}
