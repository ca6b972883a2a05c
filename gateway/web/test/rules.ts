// The sentences of the CRDs' rules, from the manifests that are made from the types.

import { readFileSync } from "node:fs";
import { parse } from "yaml";

export function rulesOf(plural: "sessions" | "runs"): ReadonlySet<string> {
  const found = new Set<string>();
  const collect = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if ("message" in value && typeof value.message === "string") found.add(value.message);
    Object.values(value).forEach(collect);
  };
  collect(parse(readFileSync(new URL(`../../../crds/manifests/${plural}.yaml`, import.meta.url), "utf8")));
  return found;
}
