// What the API would say about a new run, said while it is typed. The sentences are those of the CRD's rules
// (crds/src/run/spec.rs), so that nobody reads two wordings for one mistake.

import type { RunSpec } from "../api/types";
import { branchMistake, characters, nameMistake, urlMistake } from "../form/repository";

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
};

export const PLAN_CHARACTERS = 32_768;
export const TITLE_CHARACTERS = 200;

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
    image: characters(image) > 512 ? "image must be at most 512 characters" : undefined,
    plan: planMistake(plan),
  };
  return Object.fromEntries(Object.entries(found).filter(([, message]) => message !== undefined));
}

function titleMistake(title: string): string | undefined {
  if (characters(title) > TITLE_CHARACTERS) return `spec.title must be at most ${TITLE_CHARACTERS} characters`;
  // eslint-disable-next-line no-control-regex -- control characters are what the rule refuses
  return /[\x00-\x1f\x7f]/.test(title) ? "spec.title must be one line without control characters" : undefined;
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
  const title = own !== "" ? own : heading;
  return {
    repository: { url, ...(base !== "" && { branch: base }), ...(secret !== "" && { secretRef: { name: secret } }) },
    ...(title !== undefined && { title }),
    ...(branch !== "" && { branch }),
    ...(image !== "" && { image }),
    ...(deadline !== EMPTY_DRAFT.deadline && { deadlineSeconds: Number(deadline) }),
    ...(attempts !== EMPTY_DRAFT.attempts && { maxAttempts: Number(attempts) }),
    plan,
  };
}

/** Where the form shows an error of the API. */
export const PLACES: [string, DraftField][] = [
  ["metadata.name", "name"],
  ["metadata.generateName", "name"],
  ["name", "name"],
  ["spec.repository.url", "url"],
  ["spec.repository.branch", "base"],
  ["spec.repository.secretRef", "secret"],
  ["spec.repository", "url"],
  ["spec.branch", "branch"],
  ["spec.title", "title"],
  ["spec.image", "image"],
  ["spec.deadlineSeconds", "deadline"],
  ["spec.maxAttempts", "attempts"],
  ["spec.plan", "plan"],
];
