import { Bot, CircleAlert, CircleCheck, CircleDot, FileDiff, Info, LoaderCircle, type LucideIcon } from "lucide-react";
import { memo } from "react";
import type { Message } from "../api/types";
import { LongText } from "../components/long-text";
import { Marked } from "../components/marked";
import { QuestionRow } from "../components/question-row";
import { anchorOf, Stamp } from "../components/stamp";
import { TimelineRow } from "../components/timeline-row";
import { ToolRow } from "../components/tool-row";
import type { Entry, Phase } from "../run/timeline";
import { ChangesEntry } from "./run-changes";

interface Props {
  entry: Entry;
  needle: string;
  /** The address names it. */
  linked: boolean;
  pullRequest: string | undefined;
}

/** One line of the timeline. Drawn again only when it has changed. */
export const EntryRow = memo(function EntryRow({ entry, needle, linked, pullRequest }: Props) {
  return (
    <li id={anchorOf(entry.seq)} className={linked ? "bg-accent-soft" : undefined}>
      <Body entry={entry} needle={needle} pullRequest={pullRequest} />
    </li>
  );
});

function Body({ entry, needle, pullRequest }: Omit<Props, "linked">) {
  switch (entry.is) {
    case "line": {
      const { icon, tone, word } = MARKS[entry.mark];
      return (
        <TimelineRow seq={entry.seq} time={entry.time} icon={icon} tone={tone} word={word}>
          <LongText text={entry.text} needle={needle} tone={entry.mark === "Failed" ? "text-bad" : ""} />
        </TimelineRow>
      );
    }
    case "said":
      return (
        <TimelineRow seq={entry.seq} time={entry.time} icon={Bot} tone="text-accent-text" word="The agent">
          <LongText text={entry.text} needle={needle} tone="" />
        </TimelineRow>
      );
    case "phase":
      return <PhaseEntry entry={entry} needle={needle} />;
    case "tool":
      return <ToolRow {...entry} answer={entry.answer} needle={needle} />;
    case "question":
      return <QuestionRow {...entry} answer={entry.answer} needle={needle} />;
    case "changes":
      return (
        <TimelineRow seq={entry.seq} time={entry.time} icon={FileDiff} tone="text-soft" word="Changes">
          <ChangesEntry changes={entry.changes} needle={needle} pullRequest={pullRequest} />
        </TimelineRow>
      );
  }
}

const MARKS: Record<Message["type"], { icon: LucideIcon; tone: string; word: string }> = {
  Started: { icon: CircleDot, tone: "text-soft", word: "Started" },
  Progress: { icon: LoaderCircle, tone: "text-busy", word: "Progress" },
  Finished: { icon: CircleCheck, tone: "text-good", word: "Finished" },
  Failed: { icon: CircleAlert, tone: "text-bad", word: "Failed" },
  Notice: { icon: Info, tone: "text-soft", word: "Notice" },
};

/** A phase is the head of what follows it. */
function PhaseEntry({ entry, needle }: { entry: Phase; needle: string }) {
  const begins = entry.status === "started";
  return (
    <div className={`flex items-baseline gap-2.5 px-4 ${begins ? "mt-2 border-t border-line pt-2.5 pb-1" : "py-1.5"}`}>
      <h3 className={`min-w-0 flex-1 text-sm break-words ${begins ? "font-semibold" : "text-soft"}`}>
        <Marked text={entry.text} needle={needle} />
      </h3>
      <Stamp seq={entry.seq} time={entry.time} />
    </div>
  );
}
