// What the API would say about a new run, said while it is typed. The sentences are those of the CRD's rules
// (crds/src/run/spec.rs), so that nobody reads two wordings for one mistake.

import type { RunSpec } from "../api/types";
import { budgetMistake, FORGES, modelMistake, workIdMistake } from "../form/agent";
import { branchMistake, characters, imageMistake, nameMistake, urlMistake } from "../form/repository";

export interface Draft {
  namespace: string;
  name: string;
  url: string;
  base: string;
  secret: string;
  branch: string;
  title: string;
  image: string;
  deadline: string;
  attempts: string;
  plan: string;
  /** What says what to do: a plan, or an issue of the forge. */
  work: "plan" | "item";
  workId: string;
  /** Empty: told by the address. */
  forge: string;
  /** Empty: the chart's. */
  driver: string;
  model: string;
  budget: string;
  /** Between commas. */
  labels: string;
  pullRequestDraft: boolean;
}

export type DraftField = keyof Draft;
export type DraftErrors = Partial<Record<DraftField, string>>;

export const EMPTY_DRAFT: Draft = {
  namespace: "",
  name: "",
  url: "",
  base: "",
  secret: "",
  branch: "",
  title: "",
  image: "",
  deadline: "3600",
  attempts: "2",
  plan: "",
  work: "plan",
  workId: "",
  forge: "",
  driver: "",
  model: "",
  budget: "",
  labels: "",
  pullRequestDraft: false,
};

export const DRIVERS = ["Claude", "Script"] as const;

export const PLAN_CHARACTERS = 32_768;
export const TITLE_CHARACTERS = 200;
const LABELS = 16;
const LABEL_CHARACTERS = 50;

export const DEADLINE_CHOICES = [
  { seconds: "900", label: "15 minutes" },
  { seconds: "3600", label: "1 hour" },
  { seconds: "14400", label: "4 hours" },
  { seconds: "86400", label: "1 day" },
];

export const ATTEMPT_CHOICES = ["1", "2", "3", "5"];

/** The first broken rule of each field. */
export function validate(draft: Draft): DraftErrors {
  const { name, url, base, branch, title, image, plan } = draft;
  const found: Record<string, string | undefined> = {
    name: nameMistake(name, "names of its pods are made from it"),
    url: url === "" ? "repository.url must be set: the work needs a repository" : urlMistake("repository.url", url),
    base: branchMistake("repository.branch", base),
    branch: branchMistake("spec.branch", branch),
    title: titleMistake(title),
    image: imageMistake(image),
    plan: draft.work === "plan" ? planMistake(plan) : undefined,
    workId: draft.work === "item" ? workMistake(draft) : undefined,
    ...(draft.driver !== "Script" && { model: modelMistake(draft.model), budget: budgetMistake(draft.budget) }),
    labels: labelsMistake(labelsOf(draft.labels)),
  };
  return Object.fromEntries(Object.entries(found).filter(([, message]) => message !== undefined));
}

function titleMistake(title: string): string | undefined {
  if (characters(title) > TITLE_CHARACTERS) return `spec.title must be at most ${TITLE_CHARACTERS} characters`;
  // eslint-disable-next-line no-control-regex -- control characters are what the rule refuses
  return /[\x00-\x1f\x7f]/.test(title) ? "spec.title must be one line without control characters" : undefined;
}

function workMistake({ workId, driver }: Draft): string | undefined {
  const mistake = workIdMistake(workId);
  if (mistake !== undefined) return mistake;
  return driver === "Script" ? "spec.workId needs an agent that reads: blocks of a work item are not run as a script; leave spec.agent.driver out or set it to Claude" : undefined;
}

function labelsMistake(labels: string[]): string | undefined {
  if (labels.length > LABELS) return `pullRequest.labels must be at most ${LABELS}`;
  return labels.some((label) => characters(label) > LABEL_CHARACTERS) ? `each of pullRequest.labels must be at most ${LABEL_CHARACTERS} characters` : undefined;
}

/** Labels between commas, each once. */
function labelsOf(text: string): string[] {
  const words = text.split(",").map((label) => label.trim());
  return [...new Set(words.filter((label) => label !== ""))];
}

/** What is wrong with a plan. */
export function planMistake(plan: string): string | undefined {
  if (plan.trim() === "") return "spec.plan must not be empty: write what is to be done";
  const length = characters(plan);
  return length > PLAN_CHARACTERS ? `spec.plan must be at most ${PLAN_CHARACTERS} characters; it has ${length}. Put it into a ConfigMap and use spec.planRef` : undefined;
}

/** The spec; `heading` is the title of a plan that is given none. */
export function specOf(draft: Draft, heading?: string): RunSpec {
  const { url, base, secret, branch, title: own, image, deadline, attempts, plan } = draft;
  const item = draft.work === "item";
  const title = own !== "" ? own : item ? undefined : heading;
  const agent = agentOf(draft);
  const labels = labelsOf(draft.labels);
  const pullRequest = { ...(labels.length > 0 && { labels }), ...(draft.pullRequestDraft && { draft: true }) };
  return {
    repository: { url, ...(base !== "" && { branch: base }), ...(secret !== "" && { secretRef: { name: secret } }), ...(isForge(draft.forge) && { forge: draft.forge }) },
    ...(title !== undefined && { title }),
    ...(branch !== "" && { branch }),
    ...(image !== "" && { image }),
    ...(deadline !== EMPTY_DRAFT.deadline && { deadlineSeconds: Number(deadline) }),
    ...(attempts !== EMPTY_DRAFT.attempts && { maxAttempts: Number(attempts) }),
    ...(Object.keys(agent).length > 0 && { agent }),
    ...(Object.keys(pullRequest).length > 0 && { pullRequest }),
    ...(item ? { workId: draft.workId } : { plan }),
  };
}

/** A Script asks no model: what was typed for one stays in the form only. */
function agentOf({ driver, model, budget }: Draft): NonNullable<RunSpec["agent"]> {
  if (driver === "Script") return { driver };
  return { ...(driver === "Claude" && { driver }), ...(model !== "" && { model }), ...(budget !== "" && { budgetUSD: budget }) };
}

function isForge(forge: string): forge is (typeof FORGES)[number] {
  return FORGES.some((each) => each === forge);
}

/** Where the form shows an error of the API. */
export const PLACES: [string, DraftField][] = [
  ["metadata.name", "name"],
  ["metadata.generateName", "name"],
  ["name", "name"],
  ["spec.repository.url", "url"],
  ["spec.repository.branch", "base"],
  ["spec.repository.secretRef", "secret"],
  ["spec.repository.forge", "forge"],
  ["spec.repository", "url"],
  ["spec.branch", "branch"],
  ["spec.title", "title"],
  ["spec.image", "image"],
  ["spec.deadlineSeconds", "deadline"],
  ["spec.maxAttempts", "attempts"],
  ["spec.plan", "plan"],
  ["spec.workId", "workId"],
  ["spec.agent.model", "model"],
  ["spec.agent.budgetUSD", "budget"],
  ["spec.agent", "driver"],
  ["spec.pullRequest", "labels"],
];
