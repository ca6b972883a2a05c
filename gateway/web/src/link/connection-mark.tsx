import { CircleAlert, CirclePause, Eye, LoaderCircle, Wifi, WifiOff } from "lucide-react";
import { useEffect, useState, type ReactNode } from "react";
import type { StateName } from "../session/state";
import { connectionWords, type Status, type Tone } from "./words";

const TICK = 500;

const TONES: Record<Tone, string> = { good: "text-good", busy: "text-busy", bad: "text-bad", rest: "text-soft" };

/** The connection as colour, icon and words; a countdown runs while it waits. */
export function ConnectionMark({ status, state, backlog }: { status: Status; state: StateName; backlog?: string | undefined }) {
  const [now, setNow] = useState(() => performance.now());
  const counting = status.retryAt !== undefined;
  useEffect(() => {
    if (!counting) return;
    const timer = setInterval(() => setNow(performance.now()), TICK);
    return () => clearInterval(timer);
  }, [counting]);

  const { text, tone } = connectionWords(status, state, now, backlog);
  return (
    <span data-connection={status.link} title={text} className={`numbers inline-flex min-w-0 items-center gap-1.5 text-xs font-medium ${TONES[tone]}`}>
      {icon(status, tone)}
      <span className="truncate">{text}</span>
      {/* A countdown read aloud every second would be noise: only the kind of state is announced. */}
      <span role="status" className="sr-only">
        {text.replace(/ \(.*$/, "")}
      </span>
    </span>
  );
}

function icon(status: Status, tone: Tone): ReactNode {
  const look = "size-3.5 shrink-0";
  if (status.link === "live") return status.viewOnly ? <Eye className={look} aria-hidden /> : <Wifi className={look} aria-hidden />;
  if (tone === "rest") return <CirclePause className={look} aria-hidden />;
  if (tone === "busy") return <LoaderCircle className={`${look} animate-spin`} aria-hidden />;
  return status.link === "halted" || status.link === "held" ? <CircleAlert className={look} aria-hidden /> : <WifiOff className={look} aria-hidden />;
}
