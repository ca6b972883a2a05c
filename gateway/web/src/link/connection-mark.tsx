import { CircleAlert, CirclePause, Eye, LoaderCircle, Wifi, WifiOff } from "lucide-react";
import { useEffect, useState, type ReactNode } from "react";
import type { StateName } from "../session/state";
import { connectionWords, type Status, type Tone } from "./words";

const TICK = 500;

const TONES: Record<Tone, string> = { good: "text-good", busy: "text-busy", bad: "text-bad", rest: "text-soft" };

interface Props {
  status: Status;
  state: StateName;
  backlog?: string | undefined;
  /** There and back, in milliseconds. */
  latency?: number | undefined;
  /** Leads to more about it. */
  details?: { open: boolean; onToggle: () => void };
}

/** The connection as colour, icon and words; a countdown runs while it waits. */
export function ConnectionMark({ status, state, backlog, latency, details }: Props) {
  const [now, setNow] = useState(() => performance.now());
  const counting = status.retryAt !== undefined;
  useEffect(() => {
    if (!counting) return;
    const timer = setInterval(() => setNow(performance.now()), TICK);
    return () => clearInterval(timer);
  }, [counting]);

  const { text, tone } = connectionWords(status, state, now, backlog);
  const look = `inline-flex min-w-0 items-center gap-1.5 ${TONES[tone]}`;
  const words = (
    <>
      {icon(status, tone)}
      <span className="truncate">{text}</span>
      {latency !== undefined && status.link === "live" && <span className="hidden shrink-0 text-faint sm:inline">{milliseconds(latency)}</span>}
    </>
  );
  return (
    <span data-connection={status.link} title={text} className="numbers inline-flex min-w-0 items-center text-xs font-medium">
      {details === undefined ? (
        <span className={look}>{words}</span>
      ) : (
        <button type="button" aria-expanded={details.open} aria-label={`Connection: ${text}`} onClick={details.onToggle} className={`${look} h-7 rounded-md px-1.5 hover:bg-hover focus-visible:-outline-offset-2 pointer-coarse:h-11`}>
          {words}
        </button>
      )}
      {/* A countdown read aloud every second would be noise: only the kind of state is announced. */}
      <span role="status" className="sr-only">
        {text.replace(/ \(.*$/, "")}
      </span>
    </span>
  );
}

/** A time that is read at a glance. */
export function milliseconds(time: number): string {
  return time < 10 ? `${time.toFixed(1)} ms` : `${Math.round(time)} ms`;
}

function icon(status: Status, tone: Tone): ReactNode {
  const look = "size-3.5 shrink-0";
  if (status.link === "live") return status.viewOnly ? <Eye className={look} aria-hidden /> : <Wifi className={look} aria-hidden />;
  if (tone === "rest") return <CirclePause className={look} aria-hidden />;
  if (tone === "busy") return <LoaderCircle className={`${look} animate-spin`} aria-hidden />;
  return status.link === "halted" || status.link === "held" ? <CircleAlert className={look} aria-hidden /> : <WifiOff className={look} aria-hidden />;
}
