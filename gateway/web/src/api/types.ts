// The API's objects by their short names. schema.ts is generated from the gateway's OpenAPI document (npm run types).

import type { components } from "./schema";

type Schemas = components["schemas"];

export type Run = Schemas["Run"];
export type RunSpec = Schemas["RunSpec"];
export type RunMessage = Schemas["RunMessage"];
export type FoundMessages = Schemas["FoundMessages"];
export type Question = Schemas["OpenQuestion"];
export type Answer = NonNullable<RunSpec["answers"]>[number];
export type SessionSpec = Schemas["SessionSpec"];
export type Session = Schemas["Session"];
export type NewSession = Schemas["CreateSession"];
export type NewRun = Schemas["CreateRun"];
export type Message = Schemas["Message"];
export type Me = Schemas["Me"];
export type Forge = Schemas["ForgeView"];
export type FoundRepository = Schemas["FoundRepository"];
export type FoundWorkItem = Schemas["FoundWorkItem"];
export type Problem = Schemas["Problem"];
export type FieldError = Schemas["FieldError"];
export type Condition = NonNullable<NonNullable<Session["status"]>["conditions"]>[number];

/** An entry of a folder, as the runtime tells it (the gateway passes files through unread). */
export interface FileEntry {
  name: string;
  kind: "file" | "directory" | "symlink";
  size: number;
  modified?: string | null;
}
