import { X } from "lucide-react";
import { useEffect, useState, type ReactNode } from "react";
import type { Session } from "../api/types";
import { Button, IconButton } from "../components/button";
import { milliseconds } from "../link/connection-mark";
import { connectionWords, saidWords } from "../link/words";
import { stateOf } from "../session/state";
import { causeWords, DOING, RESUMED } from "./connection-words";
import type { Status } from "./machine";
import type { TerminalHandle } from "./use-terminal";

const TICK = 500;

interface Props {
  session: Session;
  terminal: TerminalHandle;
  onLogin: () => void;
  onClose: () => void;
}

/** Explains how the connection stands, and why. */
export function ConnectionDrawer({ session, terminal: { status, connection }, onLogin, onClose }: Props) {
  const now = useNow(status.retryAt !== undefined);
  const { error, loss } = status;
  const next = status.retryAt === undefined ? undefined : Math.max(0, Math.ceil((status.retryAt - now) / 1000));
  return (
    <aside aria-label="Connection" onKeyDown={(event) => event.key === "Escape" && onClose()} className="animate-slide absolute inset-0 z-20 flex flex-col border-line bg-surface md:static md:w-80 md:shrink-0 md:border-l">
      <header className="flex h-10 shrink-0 items-center gap-1 border-b border-line pr-1.5 pl-3">
        <h2 className="min-w-0 flex-1 truncate text-sm font-semibold">Connection</h2>
        <IconButton label="Close connection" autoFocus onClick={onClose}>
          <X className="size-4" aria-hidden />
        </IconButton>
      </header>
      <div className="min-h-0 flex-1 overflow-y-auto px-3 py-2 text-sm">
        <p className="font-medium">{connectionWords(status, stateOf(session), now).text}</p>
        <p className="mt-0.5 text-soft">{DOING[status.link]}</p>
        {error !== undefined && status.link !== "live" && (
          <p className="mt-2 rounded-md bg-busy-soft px-2.5 py-2 text-busy">
            {error.why} <span className="numbers">(code {error.code})</span>
            {error.said !== undefined && <span className="mt-1 block break-words">{saidWords(error.said)}</span>}
          </p>
        )}
        <dl className="mt-3 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1.5">
          <Row name="Round trip">{status.latency === undefined ? "not measured yet" : milliseconds(status.latency)}</Row>
          {status.resumed !== undefined && <Row name="Screen">{RESUMED[status.resumed]}</Row>}
          {status.attempt > 0 && <Row name="Attempts">{status.attempt}</Row>}
          {next !== undefined && <Row name="Next try">{next === 0 ? "now" : `in ${next} s`}</Row>}
          {status.breaker !== "closed" && <Row name="Breaker">{status.breaker === "open" ? "open: five tries failed within a minute, so only one in 20 s is made" : "half open: one try is on its way"}</Row>}
          {loss !== undefined && <Row name="Last loss">{`${causeWords(loss.cause)}; back after ${seconds(loss.milliseconds)} and ${loss.attempts === 1 ? "1 attempt" : `${loss.attempts} attempts`}`}</Row>}
          {status.bytesWaiting > 0 && <Row name="Waiting">{`${status.bytesWaiting === 1 ? "1 byte" : `${status.bytesWaiting} bytes`} typed and not delivered`}</Row>}
        </dl>
        <Ways status={status} onTry={() => connection?.retry()} onDiscard={() => connection?.discardKeys()} onLogin={onLogin} />
      </div>
    </aside>
  );
}

function Row({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="contents">
      <dt className="text-soft">{name}</dt>
      <dd className="numbers min-w-0 break-words">{children}</dd>
    </div>
  );
}

function Ways({ status, onTry, onDiscard, onLogin }: { status: Status; onTry: () => void; onDiscard: () => void; onLogin: () => void }) {
  return (
    <div className="mt-4 flex flex-wrap gap-2">
      {status.link === "waiting" && (
        <Button look="primary" onClick={onTry}>
          Try now
        </Button>
      )}
      {status.link === "halted" && (
        <Button look="primary" onClick={onTry}>
          {status.error?.button ?? "Try again"}
        </Button>
      )}
      {status.link === "login" && (
        <Button look="primary" onClick={onLogin}>
          Log in
        </Button>
      )}
      {status.bytesWaiting > 0 && <Button onClick={onDiscard}>Discard what waits</Button>}
    </div>
  );
}

function useNow(counting: boolean): number {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    if (!counting) return;
    const timer = setInterval(() => setNow(performance.now()), TICK);
    return () => clearInterval(timer);
  }, [counting]);
  return now;
}

function seconds(time: number): string {
  return time < 10_000 ? `${(time / 1000).toFixed(1)} s` : `${Math.round(time / 1000)} s`;
}
