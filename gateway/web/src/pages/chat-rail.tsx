import { Circle, CircleAlert, CircleCheck, CircleSlash, LoaderCircle, type LucideIcon } from "lucide-react";
import type { SessionSpec } from "../api/types";
import type { Chat } from "../chat/state";
import { capital, phaseMarks, type PhaseMark } from "../chat/words";
import type { PhaseStatus } from "../chat/protocol";
import { Duration } from "../components/time";

interface Look {
  icon: LucideIcon;
  tone: string;
  word: string;
}

const AHEAD: Look = { icon: Circle, tone: "text-faint", word: "to come" };

const LOOKS: Record<PhaseStatus, Look> = {
  started: { icon: LoaderCircle, tone: "text-busy", word: "going on" },
  completed: { icon: CircleCheck, tone: "text-good", word: "done" },
  failed: { icon: CircleAlert, tone: "text-bad", word: "failed" },
  skipped: { icon: CircleSlash, tone: "text-faint", word: "skipped" },
};

/** The phases of the workflow, the one that goes on with its step. */
export function ChatRail({ chat, workflow }: { chat: Chat; workflow: SessionSpec["workflow"] }) {
  const marks = phaseMarks(chat.phases, workflow);
  if (marks.length === 0) return null;
  return (
    <ol aria-label="Workflow" className="flex h-9 shrink-0 items-center gap-1 overflow-x-auto border-b border-line bg-surface px-3 text-sm sm:gap-2">
      {marks.map((mark, at) => (
        <li key={mark.name} data-phase={mark.name} data-status={mark.phase?.status} className="flex min-w-0 shrink-0 items-center gap-1 sm:gap-2" {...(mark.phase?.status === "started" ? { "aria-current": "step" as const } : {})}>
          {at > 0 && <span className="h-px w-2 bg-edge sm:w-4" aria-hidden />}
          <Mark {...mark} />
        </li>
      ))}
    </ol>
  );
}

function Mark({ name, phase }: PhaseMark) {
  const { icon: Icon, tone, word } = phase === undefined ? AHEAD : LOOKS[phase.status];
  const current = phase?.status === "started";
  return (
    <>
      <Icon className={`size-4 shrink-0 ${tone} ${current ? "animate-spin" : ""}`} aria-hidden />
      {/* A small screen has room for the name of the one that goes on. */}
      <span className={current ? "font-semibold" : "sr-only text-soft sm:not-sr-only"}>
        {capital(name)}
        <span className="sr-only">, {word}</span>
      </span>
      {phase !== undefined && (
        <span className={`flex min-w-0 items-center gap-1.5 text-xs text-faint ${current ? "" : "hidden sm:flex"}`}>
          <Duration from={phase.startedAt} to={phase.endedAt} />
          {phase.retry > 0 && <span className="numbers rounded-full bg-busy-soft px-1.5 text-busy">retry {phase.retry}</span>}
          {current && phase.step !== undefined && (
            <span title={phase.step} className="max-w-40 truncate text-soft lg:max-w-64">
              {phase.step}
            </span>
          )}
        </span>
      )}
    </>
  );
}
