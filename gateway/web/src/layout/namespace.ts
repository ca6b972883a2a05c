// The namespace the list shows. It is in the URL while the list is open, and remembered for new sessions.

import { useCallback } from "react";
import { useNavigate, useSearchParams, useLocation } from "react-router";

export function useNamespace(): [string | undefined, (namespace: string | undefined) => void] {
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const [params] = useSearchParams();
  const inPath = /^\/ns\/([^/]+)\//.exec(pathname)?.[1];
  const current = inPath ?? params.get("namespace") ?? undefined;
  const choose = useCallback(
    (namespace: string | undefined) => {
      const next = new URLSearchParams(pathname === "/sessions" ? params : undefined);
      if (namespace === undefined) next.delete("namespace");
      else next.set("namespace", namespace);
      void navigate({ pathname: "/sessions", search: next.toString() });
    },
    [navigate, params, pathname],
  );
  return [current, choose];
}
