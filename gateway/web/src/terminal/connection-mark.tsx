import { CircleAlert, CirclePause, Eye, LoaderCircle, Wifi, WifiOff, type LucideIcon } from "lucide-react";
import { useEffect, useState } from "react";
import type { StateName } from "../session/state";
import type { Status } from "./machine";
import { connectionWords, type Tone } from "./words";

const TICK = 500;

const TONES: Record<Tone, string> = { good: "text-good", busy: "text-busy", bad: "text-bad", rest: "text-soft" };

/** The connection as colour, icon and words; a countdown runs while it waits. */
export function ConnectionMark({ status, state }: { status: Status; state: StateName }) {
  const [now, setNow] = useState(() => performance.now());
  const counting = status.retryAt !== undefined;
  useEffect(() => {
    if (!counting) return;
    const timer = setInterval(() => setNow(performance.now()), TICK);
    return () => clearInterval(timer);
  }, [counting]);

  const { text, tone } = connectionWords(status, state, now);
  const Icon = iconOf(status, tone);
  return (
    <span data-connection={status.link} title={text} className={`numbers inline-flex min-w-0 items-center gap-1.5 text-xs font-medium ${TONES[tone]}`}>
      <Icon className={`size-3.5 shrink-0 ${Icon === LoaderCircle ? "animate-spin" : ""}`} aria-hidden />
      <span className="truncate">{text}</span>
      {/* A countdown read aloud every second would be noise: only the kind of state is announced. */}
      <span role="status" className="sr-only">
        {text.replace(/ \(.*$/, "")}
      </span>
    </span>
  );
}

function iconOf(status: Status, tone: Tone): LucideIcon {
  if (status.link === "live") return status.viewOnly ? Eye : Wifi;
  if (tone === "rest") return CirclePause;
  if (tone === "busy") return LoaderCircle;
  return status.link === "halted" || status.link === "held" ? CircleAlert : WifiOff;
}
