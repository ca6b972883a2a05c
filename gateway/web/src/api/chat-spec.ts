// What a Session in Chat mode has more. These types stand here until the generated ones hold them.

import type { components } from "./schema";

type Run = components["schemas"]["RunSpec"];

export interface ChatSpec {
  mode?: "Terminal" | "Chat";
  workflow?: "Faber" | "None";
  autonomy?: "DryRun" | "Assist" | "Guarded" | "Autonomous";
  workId?: string;
  agent?: NonNullable<Run["agent"]>;
}

export interface ChatStatus {
  faber?: { pendingApprovals?: { id: string; question: string }[]; phase?: string };
}
