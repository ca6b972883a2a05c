// The same session for people who live in a terminal: YAML and kubectl commands.

import type { Session } from "../api/types";

/** Set by the gateway, not by who wrote the session down. */
const ADDED: ReadonlySet<string> = new Set(["wakeTime", "owner"]);

/** What one would commit to Git: the spec as it was meant, without what the cluster added. */
export function manifest(session: Pick<Session, "namespace" | "name" | "labels" | "spec">): object {
  const spec = Object.fromEntries(Object.entries(session.spec).filter(([field]) => !ADDED.has(field)));
  return {
    apiVersion: "fabrica.dev/v1alpha1",
    kind: "Session",
    metadata: {
      name: session.name,
      namespace: session.namespace,
      ...(session.labels && Object.keys(session.labels).length > 0 ? { labels: session.labels } : {}),
    },
    spec,
  };
}

/** The YAML writer is large and rarely needed, so it comes on demand. */
export async function toYaml(value: object): Promise<string> {
  const { stringify } = await import("yaml");
  // kubectl reads YAML 1.1, where a bare On is true.
  return stringify(value, { lineWidth: 0, version: "1.1" });
}

export function kubectlCommand(session: { namespace: string; name: string }): string {
  return `kubectl get fsess ${session.name} --namespace ${session.namespace} --output yaml`;
}

/** What an empty page teaches. */
export function exampleManifest(namespace: string): string {
  return [
    "apiVersion: fabrica.dev/v1alpha1",
    "kind: Session",
    `metadata: { name: hello, namespace: ${namespace} }`,
    "spec:",
    "  workspace: { size: 10Gi }",
  ].join("\n");
}

/** What deleting destroys, in words. */
export function losses(session: Session): string[] {
  const { workspace } = session.spec;
  const lost = ["every running process and the terminal's history"];
  if (workspace === undefined) lost.push("all files: this session has no volume");
  else if (workspace.retain !== true) lost.push(`the ${workspace.size} volume with everything that is not pushed`);
  return lost;
}

/** What a delete leaves behind, if anything. */
export function keeps(session: Session): string | undefined {
  const { workspace } = session.spec;
  if (workspace?.retain !== true) return undefined;
  return `The ${workspace.size} volume ${session.name}-workspace stays. A new session of the same name takes it over.`;
}
