// A plan as people write it down: markdown with front matter, as `POST /run` takes it.

import { FORGES } from "../form/agent";
import { TITLE_CHARACTERS, type Draft } from "./validation";

/** The fields of the front matter, and where the form has them. */
const FIELDS = { repo: "url", title: "title", branch: "branch", base: "base", model: "model", budgetUSD: "budget", forge: "forge" } as const;

export interface PlanFile {
  /** What the front matter says, by the form's fields. */
  fields: Partial<Pick<Draft, (typeof FIELDS)[keyof typeof FIELDS]>>;
  plan: string;
  /** What is wrong with the front matter, each with its line and field. */
  mistakes: string[];
}

export function hasFrontMatter(text: string): boolean {
  return /^---\s*\n/.test(text);
}

/** The words of the first heading that is not in a block of code: the title of a plan that is given none. */
export function firstHeading(plan: string): string | undefined {
  const outside = plan.replace(/^[ \t]*(```|~~~)[\s\S]*?(?:^[ \t]*\1.*$|$(?![\s\S]))/gm, "");
  const words = /^[ \t]*#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$/m.exec(outside)?.[1];
  return words === undefined || words === "" ? undefined : [...words].slice(0, TITLE_CHARACTERS).join("");
}

/** Reads a file; one without front matter is all plan. The YAML reader is large and rarely needed, so it comes on demand. */
export async function readPlanFile(text: string): Promise<PlanFile> {
  if (!hasFrontMatter(text)) return { fields: {}, plan: text, mistakes: [] };
  const match = /^---\s*\n([\s\S]*?)^---[ \t]*(?:\n|$)([\s\S]*)$/m.exec(text);
  if (match === null) return { fields: {}, plan: text, mistakes: ["line 1: the front matter does not end; close it with a line ---"] };
  const [, front = "", plan = ""] = match;
  const { isMap, isScalar, LineCounter, parseDocument } = await import("yaml");
  const lines = new LineCounter();
  const document = parseDocument(front, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset = 0): number => lines.linePos(offset).line + 1;
  const mistakes = document.errors.map(({ message, pos: [offset] }) => `line ${lineAt(offset)}: ${message}`);
  const fields: PlanFile["fields"] = {};
  if (document.contents !== null && !isMap(document.contents)) mistakes.push("line 2: write lines such as repo: https://git.example.com/team/project");
  const items = isMap(document.contents) ? document.contents.items : [];
  for (const { key, value } of items) {
    if (!isScalar(key)) continue;
    const name = String(key.value);
    const where = `line ${lineAt(key.range[0])}, ${name}`;
    if (!(name in FIELDS)) mistakes.push(`${where}: this field does not exist; there are ${Object.keys(FIELDS).join(", ")}`);
    else if (!isScalar(value) || value.value === null) mistakes.push(`${where}: must be one value`);
    else if (name === "forge") {
      const forge = FORGES.find((each) => each.toLowerCase() === value.source.toLowerCase());
      if (forge === undefined) mistakes.push(`${where}: must be ${FORGES.join(" or ")}`);
      else fields.forge = forge;
    } else fields[FIELDS[name as keyof typeof FIELDS]] = value.source;
  }
  if (fields.url === undefined && mistakes.length === 0) mistakes.push("line 1, repo: must be set: the URL of the repository");
  return { fields, plan: plan.trimStart(), mistakes };
}
