// The CRD's rules about agents and what they work on (crds/src/parts.rs, crds/src/rules.rs), in its words.

import { characters } from "./repository";

export const FORGES = ["GitHub", "Gitea"] as const;

const WORK_CHARACTERS = 50;
const MODEL_CHARACTERS = 100;

/** What is wrong with the id of a work item. */
export function workIdMistake(workId: string): string | undefined {
  if (!/^([A-Za-z0-9_.-]+\/[A-Za-z0-9_.-]+#|#)?[1-9][0-9]{0,8}$/.test(workId)) return "spec.workId must be the number of an issue, such as 12, #12 or owner/name#12";
  return workId.length > WORK_CHARACTERS ? `spec.workId must be at most ${WORK_CHARACTERS} characters` : undefined;
}

/** What is wrong with a model. None that is not given is wrong. */
export function modelMistake(model: string): string | undefined {
  if (characters(model) > MODEL_CHARACTERS) return `agent.model must be at most ${MODEL_CHARACTERS} characters`;
  return model === "" || /^[A-Za-z0-9][A-Za-z0-9._:/@-]*$/.test(model) ? undefined : "agent.model must begin with a letter or digit and hold letters, digits and . _ : / @ - only";
}

/** What stands in the place of a budget that is not given. */
export function budgetPlaceholder(budget: string | undefined): string {
  return budget === undefined ? "no bound" : `the cluster's default, ${budget}`;
}

/** What is wrong with a budget. None that is not given is wrong. */
export function budgetMistake(budget: string): string | undefined {
  const right = budget === "" || (/^[0-9]{1,6}([.][0-9]{1,4})?$/.test(budget) && !/^[0.]*$/.test(budget));
  return right ? undefined : 'agent.budgetUSD must be a decimal number above 0 in quotes, such as "2.50"';
}
