// What the API would say about a new session, said while it is typed. The sentences are those of the CRD's rules
// (crds/src/session/spec.rs), so that nobody reads two wordings for one mistake.

import type { SessionSpec } from "../api/types";
import { budgetMistake, modelMistake, workIdMistake } from "../form/agent";
import { branchMistake, imageMistake, nameMistake, urlMistake } from "../form/repository";
import { isPositiveQuantity } from "./quantity";

export interface Draft {
  namespace: string;
  name: string;
  url: string;
  branch: string;
  secret: string;
  image: string;
  resources: string;
  volume: boolean;
  size: string;
  storageClass: string;
  retain: boolean;
  idle: string;
  mode: "Terminal" | "Chat";
  /** In mode Terminal: whether an agent is there from the beginning. */
  agent: boolean;
  /** The rest is for mode Chat. */
  workflow: "Faber" | "None";
  workId: string;
  autonomy: NonNullable<SessionSpec["autonomy"]>;
  /** Empty: told by the address. */
  forge: string;
  /** Empty: the chart's. */
  model: string;
  budget: string;
}

export type DraftField = keyof Draft;
export type DraftErrors = Partial<Record<DraftField, string>>;

export const EMPTY_DRAFT: Draft = {
  namespace: "",
  name: "",
  url: "",
  branch: "",
  secret: "",
  image: "",
  resources: "default",
  volume: true,
  size: "10Gi",
  storageClass: "",
  retain: false,
  idle: "0",
  mode: "Terminal",
  agent: false,
  workflow: "Faber",
  workId: "",
  autonomy: "Guarded",
  forge: "",
  model: "",
  budget: "",
};

interface Preset {
  id: string;
  label: string;
  hint: string;
  resources: SessionSpec["resources"];
}

/** Sizes people choose from; anything else is a manifest's business. */
export const PRESETS: Preset[] = [
  { id: "default", label: "Default", hint: "what the cluster gives", resources: undefined },
  { id: "small", label: "Small", hint: "1 CPU · 2 GiB", resources: preset("250m", "512Mi", "1", "2Gi") },
  { id: "medium", label: "Medium", hint: "2 CPU · 4 GiB", resources: preset("500m", "1Gi", "2", "4Gi") },
  { id: "large", label: "Large", hint: "4 CPU · 8 GiB", resources: preset("1", "2Gi", "4", "8Gi") },
];

export const IDLE_CHOICES = [
  { seconds: "0", label: "Never" },
  { seconds: "1800", label: "After 30 minutes" },
  { seconds: "7200", label: "After 2 hours" },
  { seconds: "28800", label: "After 8 hours" },
];

function preset(cpu: string, memory: string, cpuLimit: string, memoryLimit: string): SessionSpec["resources"] {
  return { requests: { cpu, memory }, limits: { cpu: cpuLimit, memory: memoryLimit } };
}

/** The first broken rule of each field, in the order in which the API checks. */
export function validate(draft: Draft): DraftErrors {
  const { name, branch, image, volume, size, idle } = draft;
  const found: Record<string, string | undefined> = {
    name: nameMistake(name, "names of its pod and volume are made from it"),
    url: repositoryMistake(draft),
    branch: branchMistake("repository.branch", branch),
    image: imageMistake(image),
    size: volume && !isPositiveQuantity(size) ? "workspace.size must be a quantity above 0, such as 10Gi" : undefined,
    idle: idle !== "0" && !volume ? "spec.idleTimeoutSeconds needs spec.workspace: without a volume being idle would lose the files" : undefined,
    ...(draft.mode === "Chat" && { workId: workMistake(draft), model: modelMistake(draft.model), budget: budgetMistake(draft.budget) }),
  };
  return Object.fromEntries(Object.entries(found).filter(([, message]) => message !== undefined));
}

function repositoryMistake({ mode, agent, url, branch }: Draft): string | undefined {
  if (url !== "") return urlMistake("repository.url", url);
  if (mode === "Chat") return "spec.repository is required in mode Chat: name the repository that the agent works in";
  if (agent) return "spec.agentState On needs spec.repository: name the repository that the agent works in";
  return branch === "" ? undefined : "repository.url must be set when there is a branch";
}

function workMistake({ workflow, workId }: Draft): string | undefined {
  if (workflow === "None") return undefined;
  return workId !== "" ? workIdMistake(workId) : "spec.workId is required in mode Chat with workflow Faber: name the work item, or set workflow: None";
}

export function specOf(draft: Draft): SessionSpec {
  const spec: SessionSpec = {};
  if (draft.url !== "") {
    spec.repository = { url: draft.url };
    if (draft.branch !== "") spec.repository.branch = draft.branch;
    if (draft.secret !== "") spec.repository.secretRef = { name: draft.secret };
  }
  if (draft.image !== "") spec.image = draft.image;
  const resources = PRESETS.find((each) => each.id === draft.resources)?.resources;
  if (resources !== undefined) spec.resources = resources;
  if (draft.volume) {
    const { size, storageClass, retain } = draft;
    spec.workspace = { size, ...(storageClass !== "" && { storageClassName: storageClass }), ...(retain && { retain }) };
  }
  if (draft.idle !== "0") spec.idleTimeoutSeconds = Number(draft.idle);
  if (draft.mode === "Chat") return { ...spec, ...chatOf(draft, spec) };
  return draft.agent ? { ...spec, agentState: "On" } : spec;
}

/** What a conversation has more. */
function chatOf({ workflow, workId, autonomy, forge, model, budget }: Draft, { repository }: SessionSpec): SessionSpec {
  const agent = { ...(model !== "" && { model }), ...(budget !== "" && { budgetUSD: budget }) };
  return {
    mode: "Chat",
    workflow,
    ...(workflow === "Faber" && { autonomy }),
    ...(workflow === "Faber" && workId !== "" && { workId }),
    ...(repository !== undefined && forge !== "" && { repository: { ...repository, forge: forge as NonNullable<typeof repository.forge> } }),
    ...(Object.keys(agent).length > 0 && { agent }),
  };
}

/** Where the form shows an error of the API. */
export const PLACES: [string, DraftField][] = [
  ["metadata.name", "name"],
  ["metadata.generateName", "name"],
  ["name", "name"],
  ["spec.repository.url", "url"],
  ["spec.repository.branch", "branch"],
  ["spec.repository.secretRef", "secret"],
  ["spec.repository.forge", "forge"],
  ["spec.repository", "url"],
  ["spec.workId", "workId"],
  ["spec.workflow", "workflow"],
  ["spec.autonomy", "autonomy"],
  ["spec.agent.model", "model"],
  ["spec.agent.budgetUSD", "budget"],
  ["spec.agentState", "url"],
  ["spec.mode", "mode"],
  ["spec.image", "image"],
  ["spec.resources", "resources"],
  ["spec.workspace.size", "size"],
  ["spec.workspace.storageClassName", "storageClass"],
  ["spec.workspace.retain", "retain"],
  ["spec.workspace", "size"],
  ["spec.idleTimeoutSeconds", "idle"],
];
