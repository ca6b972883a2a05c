// The same run for people who live in a terminal: YAML and kubectl commands.

import type { Run } from "../api/types";

/** Set by the gateway or while the run goes on, not by who wrote it down. */
const ADDED: ReadonlySet<string> = new Set(["owner", "desiredState", "answers"]);

/** What one would commit to Git: the spec as it was meant, without what the cluster added. */
export function manifest(run: Pick<Run, "namespace" | "name" | "labels" | "spec">): object {
  const spec = Object.fromEntries(Object.entries(run.spec).filter(([field]) => !ADDED.has(field)));
  const labels = Object.keys(run.labels ?? {}).length > 0 ? { labels: run.labels } : {};
  return { apiVersion: "fabrica.dev/v1alpha1", kind: "Run", metadata: { name: run.name, namespace: run.namespace, ...labels }, spec };
}

export function kubectlCommand(run: { namespace: string; name: string }): string {
  return `kubectl get frun ${run.name} --namespace ${run.namespace} --output yaml`;
}

/** What an empty page teaches. */
export function exampleManifest(namespace: string): string {
  return [
    "apiVersion: fabrica.dev/v1alpha1",
    "kind: Run",
    `metadata: { name: greeting, namespace: ${namespace} }`,
    "spec:",
    "  repository: { url: https://git.example.com/team/project.git }",
    "  plan: |",
    "    # Add a greeting",
    "    ```sh",
    "    echo Hello > GREETING",
    "    ```",
  ].join("\n");
}

/** What deleting destroys, in words. */
export function losses(run: Run): string[] {
  const lost = ["its messages, its pods and their logs"];
  if (run.status?.finishedAt === undefined) lost.unshift("the work that is not pushed yet: the run is still going on");
  return lost;
}
