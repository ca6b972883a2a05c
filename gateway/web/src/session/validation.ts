// What the API would say about a new session, said while it is typed. The sentences are those of the CRD's rules
// (crds/src/session/spec.rs), so that nobody reads two wordings for one mistake.

import type { FieldError, SessionSpec } from "../api/types";
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

interface Rule {
  field: DraftField;
  broken: (draft: Draft) => boolean;
  message: string;
}

const characters = (text: string): number => [...text].length;

/** In the order in which the API checks; the first broken rule of a field speaks. */
const RULES: Rule[] = [
  {
    field: "name",
    broken: ({ name }) => name !== "" && (name.length > 52 || !/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name)),
    message:
      "metadata.name must be at most 52 characters of a-z, 0-9 and '-', without dots: names of its pod and volume are made from it",
  },
  { field: "url", broken: ({ url, branch }) => url === "" && branch !== "", message: "repository.url must be set when there is a branch" },
  {
    field: "url",
    broken: ({ url }) => url !== "" && !/^https?:\/\/[^/]/.test(url),
    message: "repository.url must begin with http:// or https:// and name a host",
  },
  {
    field: "url",
    broken: ({ url }) => /^[a-zA-Z]+:\/\/[^/]*@/.test(url),
    message: "repository.url must not hold a user or password: put them into a Secret and name it in repository.secretRef",
  },
  // eslint-disable-next-line no-control-regex -- control characters are what the rule refuses
  { field: "url", broken: ({ url }) => /[\s\x00-\x1f\x7f]/.test(url), message: "repository.url must not hold spaces or control characters" },
  { field: "url", broken: ({ url }) => characters(url) > 2048, message: "repository.url must be at most 2048 characters" },
  { field: "branch", broken: ({ branch }) => characters(branch) > 100, message: "repository.branch must be 1 to 100 characters" },
  {
    field: "branch",
    // eslint-disable-next-line no-control-regex -- control characters are what the rule refuses
    broken: ({ branch }) => /[\s\x00-\x1f\x7f~^:?*[\\]/.test(branch),
    message: "repository.branch must not hold spaces, control characters or any of ~ ^ : ? * [ \\",
  },
  {
    field: "branch",
    broken: ({ branch }) => branch === "@" || /\.\.|\/\/|@\{/.test(branch),
    message: "repository.branch must not be '@' nor hold '..', '//' or '@{'",
  },
  {
    field: "branch",
    broken: ({ branch }) => /(^|\/)\.|\.lock(\/|$)|^[-/]|[./]$/.test(branch),
    message:
      "repository.branch must not begin with '-' or '/', end with '.' or '/', nor have a part that begins with '.' or ends with '.lock'",
  },
  { field: "image", broken: ({ image }) => characters(image) > 512, message: "image must be at most 512 characters" },
  {
    field: "size",
    broken: ({ volume, size }) => volume && !isPositiveQuantity(size),
    message: "workspace.size must be a quantity above 0, such as 10Gi",
  },
  {
    field: "idle",
    broken: ({ idle, volume }) => idle !== "0" && !volume,
    message: "spec.idleTimeoutSeconds needs spec.workspace: without a volume being idle would lose the files",
  },
];

export function validate(draft: Draft): DraftErrors {
  const errors: DraftErrors = {};
  for (const { field, broken, message } of RULES) {
    if (errors[field] === undefined && broken(draft)) errors[field] = message;
  }
  return errors;
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
  return spec;
}

/** Where the form shows an error of the API. The longest matching path decides. */
const PLACES: [string, DraftField][] = [
  ["metadata.name", "name"],
  ["metadata.generateName", "name"],
  ["name", "name"],
  ["spec.repository.url", "url"],
  ["spec.repository.branch", "branch"],
  ["spec.repository.secretRef", "secret"],
  ["spec.repository", "url"],
  ["spec.image", "image"],
  ["spec.resources", "resources"],
  ["spec.workspace.size", "size"],
  ["spec.workspace.storageClassName", "storageClass"],
  ["spec.workspace.retain", "retain"],
  ["spec.workspace", "size"],
  ["spec.idleTimeoutSeconds", "idle"],
];

/** Sorts the API's errors into those that belong to a field of the form and those that do not. */
export function placeErrors(errors: FieldError[]): { fields: DraftErrors; rest: string[] } {
  const fields: DraftErrors = {};
  const rest: string[] = [];
  for (const { field, message } of errors) {
    const place = PLACES.find(([path]) => field === path || field.startsWith(`${path}.`) || field.startsWith(`${path}[`))?.[1] ?? byWords(message);
    if (place !== undefined && fields[place] === undefined) fields[place] = message;
    else rest.push(field === "" ? message : `${field}: ${message}`);
  }
  return { fields, rest };
}

/** Rules that stand on the whole object name their field in the sentence alone. */
function byWords(message: string): DraftField | undefined {
  return PLACES.find(([path]) => path !== "name" && message.startsWith(path))?.[1];
}
