import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { Stamp } from "./stamp";

interface Props {
  seq: number;
  time: string;
  icon: LucideIcon;
  tone: string;
  word: string;
  children: ReactNode;
}

/** An icon, what it is about, and when it was. */
export function TimelineRow({ seq, time, icon: Icon, tone, word, children }: Props) {
  return (
    <div className="flex items-start gap-2.5 px-4 py-1.5">
      <Icon className={`mt-0.5 size-4 shrink-0 ${tone}`} aria-hidden />
      <span className="sr-only">{word}:</span>
      <div className="min-w-0 flex-1 text-sm">{children}</div>
      <Stamp seq={seq} time={time} />
    </div>
  );
}
