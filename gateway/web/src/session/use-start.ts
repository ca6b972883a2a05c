import { useCallback, useEffect, useRef } from "react";
import { useAct } from "../api/sessions";
import type { Session } from "../api/types";
import { useTell } from "../components/toast";
import { wakesOnOpen } from "./state";

/** Starts a stopped session: by the button, and by itself when it had stopped by itself and somebody opens its page. */
export function useStart(session: Session): [boolean, () => void] {
  const tell = useTell();
  const { mutate, isPending } = useAct("resume");
  const start = useCallback(() => mutate(session, { onError: (error) => tell(error.message, "bad") }), [mutate, session, tell]);
  const wakes = wakesOnOpen(session);
  const asked = useRef(false);
  useEffect(() => {
    if (!wakes) {
      asked.current = false;
      return;
    }
    const wake = (): void => {
      if (document.visibilityState !== "visible" || asked.current) return;
      asked.current = true;
      start();
    };
    wake();
    document.addEventListener("visibilitychange", wake);
    return () => document.removeEventListener("visibilitychange", wake);
  }, [wakes, start]);
  return [isPending, start];
}
