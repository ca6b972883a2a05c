// The form of a new session, kept for this tab until the session exists.

import { EMPTY_DRAFT, type Draft } from "./validation";

const KEY = "fabrica-new-session";

export function loadDraft(namespaces: string[], preferred: string | undefined): Draft {
  const stored = read();
  const wish = [stored.namespace, preferred, namespaces[0]].find((name) => name !== undefined && namespaces.includes(name));
  return { ...EMPTY_DRAFT, ...stored, namespace: wish ?? "" };
}

export function saveDraft(draft: Draft): void {
  sessionStorage.setItem(KEY, JSON.stringify(draft));
}

export function clearDraft(): void {
  sessionStorage.removeItem(KEY);
}

/** Only what still is a field of the form: a newer page may meet an older draft. */
function read(): Partial<Draft> {
  try {
    const stored = JSON.parse(sessionStorage.getItem(KEY) ?? "{}") as Record<string, unknown>;
    return Object.fromEntries(Object.entries(EMPTY_DRAFT).flatMap(([field, value]) => (typeof stored[field] === typeof value ? [[field, stored[field]]] : [])));
  } catch {
    return {};
  }
}
