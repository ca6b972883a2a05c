import { Check, CircleAlert, Info, LoaderCircle } from "lucide-react";
import type { Session } from "../api/types";
import { Button } from "../components/button";
import { headline, isStuck, stateOf, steps, stopReason, type Step } from "../session/state";

interface Props {
  session: Session;
  /** What happens last, such as "Opening the terminal", and whether that has failed. */
  last: string;
  failed?: boolean | undefined;
  starting: boolean;
  onStart: () => void;
}

/** What stands where one will work: the steps of the start, or why there is none. */
export function StartProgress({ session, last, failed = false, starting, onStart }: Props) {
  const state = stateOf(session);
  const why = headline(session);
  const lines = steps(session);
  const stuck = isStuck(session);
  const lastSaysIt = stuck || lines.at(-1)?.text === why;
  return (
    <div className="h-full overflow-y-auto px-3 py-2 font-mono text-[0.8125rem] leading-5">
      <div className="grid max-w-3xl gap-1">
        {state === "stopped" ? <Stopped session={session} starting={starting} onStart={onStart} /> : lines.map((step) => <Line key={`${step.time}-${step.text}`} step={step} />)}
        {state === "starting" && !lastSaysIt && why !== undefined && <Line step={{ text: why, type: "Progress", time: "", current: true }} />}
        {state === "ready" && <Line step={{ text: last, type: failed ? "Failed" : "Progress", time: "", current: !failed }} />}
        {state === "deleting" && <p className="text-soft">{why}</p>}
        {(state === "failed" || stuck) && <Cause why={why} final={!stuck} />}
        {(state === "failed" || state === "starting") && <Details session={session} />}
      </div>
    </div>
  );
}

function Line({ step }: { step: Step }) {
  return (
    <p className="flex items-start gap-2" {...(step.current ? { role: "status" } : {})}>
      <Mark step={step} />
      <span className={`min-w-0 break-words whitespace-pre-wrap ${step.type === "Failed" ? "text-bad" : step.current ? "text-ink" : "text-soft"}`}>{step.text}</span>
    </p>
  );
}

function Mark({ step }: { step: Step }) {
  const place = "mt-0.5 size-4 shrink-0";
  if (step.type === "Failed") return <CircleAlert className={`${place} text-bad`} aria-label="Failed" />;
  if (step.current) return <LoaderCircle className={`${place} animate-spin text-busy`} aria-label="Running" />;
  if (step.type === "Notice") return <Info className={`${place} text-faint`} aria-label="Note" />;
  return <Check className={`${place} text-good`} aria-label="Done" />;
}

function Stopped({ session, starting, onStart }: Omit<Props, "last" | "failed">) {
  return (
    <div className="grid gap-3 py-1 font-sans text-sm">
      <div>
        <h2 className="text-base font-semibold">Session stopped</h2>
        <p className="text-soft">{stopReason(session)} {session.spec.workspace === undefined ? "It had no volume, so it starts empty." : "Its files are on the volume."}</p>
      </div>
      <Button look="primary" className="w-fit" disabled={starting} onClick={onStart}>
        {starting ? "Starting…" : "Start again"}
      </Button>
    </div>
  );
}

/** The operator's sentence names the cause and what to do about it. */
function Cause({ why, final }: { why: string | undefined; final: boolean }) {
  const tone = final ? "bg-bad-soft text-bad" : "bg-busy-soft text-busy";
  return (
    <div role="alert" className={`mt-2 grid max-w-2xl gap-1 rounded-lg px-3 py-2.5 font-sans text-sm ${tone}`}>
      <p className="flex gap-2 font-medium">
        <CircleAlert className="mt-0.5 size-4 shrink-0" aria-hidden />
        <span className="min-w-0 break-words">{why}</span>
      </p>
      <p className="pl-6 text-ink">{final ? "Once the cause is gone, the session starts by itself." : "It goes on by itself once this is put right."}</p>
    </div>
  );
}

/** All the operator says, for those who want to know more than the headline. */
function Details({ session }: { session: Session }) {
  const conditions = session.status?.conditions ?? [];
  if (conditions.length === 0) return null;
  return (
    <details className="mt-2 max-w-3xl font-sans text-sm">
      <summary className="w-fit cursor-pointer rounded text-soft hover:text-ink">Details</summary>
      <dl className="mt-2 grid gap-x-4 gap-y-2 sm:grid-cols-[auto_1fr]">
        {conditions.map(({ type, status, reason, message }) => (
          <div key={type} className="contents">
            <dt className="font-mono text-xs text-soft">
              {type}={status} {reason}
            </dt>
            <dd className="min-w-0 break-words">{message}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
