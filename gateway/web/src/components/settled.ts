import { useEffect, useState } from "react";

/** Nobody waits for a search while typing, in milliseconds. */
const PAUSE = 250;

/** What was typed, once nobody types. */
export function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), PAUSE);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}
