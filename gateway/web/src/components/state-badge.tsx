import { CircleCheck, CirclePause, LoaderCircle, OctagonAlert, Trash2, type LucideIcon } from "lucide-react";
import { STATE_WORDS, stateOf, type StateName } from "../session/state";
import type { Session } from "../api/types";

interface Look {
  icon: LucideIcon;
  tone: string;
  spins?: boolean;
}

const LOOKS: Record<StateName, Look> = {
  ready: { icon: CircleCheck, tone: "text-good bg-good-soft" },
  starting: { icon: LoaderCircle, tone: "text-busy bg-busy-soft", spins: true },
  stopped: { icon: CirclePause, tone: "text-rest bg-rest-soft" },
  failed: { icon: OctagonAlert, tone: "text-bad bg-bad-soft" },
  deleting: { icon: Trash2, tone: "text-rest bg-rest-soft" },
};

/** The state as colour, icon and word. */
export function StateBadge({ session }: { session: Session }) {
  const state = stateOf(session);
  const { icon: Icon, tone, spins = false } = LOOKS[state];
  return (
    <span data-state={state} className={`inline-flex h-6 items-center gap-1 rounded-full pr-2 pl-1.5 text-xs font-medium ${tone}`}>
      <Icon className={`size-3.5 ${spins ? "animate-spin" : ""}`} aria-hidden />
      {STATE_WORDS[state]}
    </span>
  );
}
