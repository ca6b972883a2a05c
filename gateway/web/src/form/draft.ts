// The form of something new, kept for this tab until the thing exists.

export interface Drafts<T> {
  load: (namespaces: string[], preferred: string | undefined) => T;
  save: (draft: T) => void;
  clear: () => void;
}

export function draftsOf<T extends { namespace: string }>(key: string, empty: T): Drafts<T> {
  return {
    load: (namespaces, preferred) => {
      const stored = read(key, empty);
      const wish = [stored.namespace, preferred, namespaces[0]].find((name) => name !== undefined && namespaces.includes(name));
      return { ...empty, ...stored, namespace: wish ?? "" };
    },
    save: (draft) => sessionStorage.setItem(key, JSON.stringify(draft)),
    clear: () => sessionStorage.removeItem(key),
  };
}

/** What was stored, as far as it has the types of a draft: it may be of an older version, or of an older draft. */
function read<T extends { namespace: string }>(key: string, empty: T): Partial<T> {
  try {
    const stored = JSON.parse(sessionStorage.getItem(key) ?? "{}") as Record<string, unknown>;
    return Object.fromEntries(Object.entries(empty).flatMap(([field, value]) => (typeof stored[field] === typeof value ? [[field, stored[field]]] : []))) as Partial<T>;
  } catch {
    return {};
  }
}
