import { CircleCheck, CirclePause, CircleQuestionMark, CircleSlash, Clock, Hourglass, LoaderCircle, OctagonAlert, Trash2, type LucideIcon } from "lucide-react";
import type { Run, Session } from "../api/types";
import * as runs from "../run/state";
import { STATE_WORDS, stateOf, type StateName } from "../session/state";

interface Look {
  icon: LucideIcon;
  tone: string;
  spins?: boolean;
}

const LOOKS: Record<StateName | runs.StateName, Look> = {
  ready: { icon: CircleCheck, tone: "text-good bg-good-soft" },
  completed: { icon: CircleCheck, tone: "text-good bg-good-soft" },
  starting: { icon: LoaderCircle, tone: "text-busy bg-busy-soft", spins: true },
  running: { icon: LoaderCircle, tone: "text-busy bg-busy-soft", spins: true },
  escalated: { icon: CircleQuestionMark, tone: "text-accent-ink bg-accent" },
  pending: { icon: Hourglass, tone: "text-busy bg-busy-soft" },
  queued: { icon: Clock, tone: "text-rest bg-rest-soft" },
  cancelling: { icon: LoaderCircle, tone: "text-rest bg-rest-soft", spins: true },
  cancelled: { icon: CircleSlash, tone: "text-rest bg-rest-soft" },
  stopped: { icon: CirclePause, tone: "text-rest bg-rest-soft" },
  failed: { icon: OctagonAlert, tone: "text-bad bg-bad-soft" },
  deleted: { icon: Trash2, tone: "text-rest bg-rest-soft" },
  deleting: { icon: Trash2, tone: "text-rest bg-rest-soft" },
};

export function StateBadge({ session }: { session: Session }) {
  const state = stateOf(session);
  return <Badge state={state} word={STATE_WORDS[state]} />;
}

export function RunBadge({ run }: { run: Run }) {
  return <Badge state={runs.stateOf(run)} word={runs.wordOf(run)} />;
}

/** A state as colour, icon and word. */
function Badge({ state, word }: { state: StateName | runs.StateName; word: string }) {
  const { icon: Icon, tone, spins = false } = LOOKS[state];
  return (
    <span data-state={state} className={`inline-flex h-6 items-center gap-1 rounded-full pr-2 pl-1.5 text-xs font-medium ${tone}`}>
      <Icon className={`size-3.5 ${spins ? "animate-spin" : ""}`} aria-hidden />
      {word}
    </span>
  );
}
