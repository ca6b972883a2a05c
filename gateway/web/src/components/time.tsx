import { useSyncExternalStore } from "react";
import { absolute, due, duration, relative } from "../session/time";

const TICK = 5_000;
let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** One clock for all times on the page; it stands still while nobody looks at one. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) now = Date.now();
  timer ??= setInterval(() => {
    now = Date.now();
    listeners.forEach((each) => each());
  }, TICK);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** How long something took, or has been going on. */
export function Duration({ from, to }: { from: string; to: string | undefined }) {
  const current = useSyncExternalStore(subscribe, () => now);
  return <span className="numbers whitespace-nowrap">{duration(from, to === undefined ? current : Date.parse(to))}</span>;
}

/** A time to come: when, and how long until then. */
export function Due({ at }: { at: string }) {
  const current = useSyncExternalStore(subscribe, () => now);
  return (
    <time dateTime={at} title={absolute(at)} className="numbers">
      {due(at, current)}
    </time>
  );
}

export function Time({ at }: { at: string }) {
  const current = useSyncExternalStore(subscribe, () => now);
  return (
    <time dateTime={at} title={absolute(at)} className="numbers whitespace-nowrap">
      {relative(at, current)}
    </time>
  );
}
