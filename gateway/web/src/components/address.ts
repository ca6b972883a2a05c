// What of a page stands in its address, so that it survives a reload and can be sent to somebody.

import { useCallback, useEffect, useState } from "react";
import { useLocation, useSearchParams } from "react-router";

/** A browser refuses an address that changes with every key. */
const SETTLED = 300;

/** A word of the address; an empty one is not there. */
export function useAddress(name: string): [string, (value: string) => void] {
  const [params, setParams] = useSearchParams();
  const set = useCallback(
    (value: string) =>
      setParams(
        (before) => {
          const next = new URLSearchParams(before);
          if (value === "") next.delete(name);
          else next.set(name, value);
          return next;
        },
        { replace: true },
      ),
    [setParams, name],
  );
  return [params.get(name) ?? "", set];
}

/** What the address of a list says of it. To open what makes a new one is a step that one can go back; to filter is none. */
export function useListAddress(): [URLSearchParams, (name: string, value: string | undefined) => void] {
  const [params, setParams] = useSearchParams();
  const set = (name: string, value: string | undefined): void => {
    const next = new URLSearchParams(params);
    if (value === undefined) next.delete(name);
    else next.set(name, value);
    setParams(next, { replace: name !== "new" });
  };
  return [params, set];
}

/** What is looked for; the address follows it when it has settled. */
export function useFind(): [string, (words: string) => void] {
  const [inAddress, keep] = useAddress("find");
  const [words, setWords] = useState(inAddress);
  useEffect(() => {
    if (words === inAddress) return;
    const timer = setTimeout(() => keep(words), SETTLED);
    return () => clearTimeout(timer);
  }, [words, inAddress, keep]);
  return [words, setWords];
}

/** The entry that the address names, once it is there to be shown. */
export function useLinked(complete: boolean): string | undefined {
  const { hash } = useLocation();
  const name = hash === "" ? undefined : hash.slice(1);
  useEffect(() => {
    if (complete && name !== undefined) document.getElementById(name)?.scrollIntoView({ block: "center" });
  }, [complete, name]);
  return name;
}
