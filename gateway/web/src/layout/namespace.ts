// The namespace that a list shows. It is in the URL while the list is open, and remembered for what is new.

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
      const list = /^\/(ns\/[^/]+\/)?runs\b/.test(pathname) ? "/runs" : "/sessions";
      const next = new URLSearchParams(pathname === list ? params : undefined);
      if (namespace === undefined) next.delete("namespace");
      else next.set("namespace", namespace);
      void navigate({ pathname: list, search: next.toString() });
    },
    [navigate, params, pathname],
  );
  return [current, choose];
}
