import { Bot, ChevronRight, CircleAlert, CircleCheck, CircleDot, CircleQuestionMark, FileDiff, Info, LoaderCircle, Wrench, type LucideIcon } from "lucide-react";
import { memo, useState, type ReactNode } from "react";
import type { Message } from "../api/types";
import { Marked } from "../components/marked";
import { holds } from "../run/search";
import type { Asked, Entry, Phase, Tool } from "../run/timeline";
import { absolute, clock } from "../session/time";
import { ChangesEntry } from "./run-changes";

interface Props {
  entry: Entry;
  needle: string;
  /** The address names it. */
  linked: boolean;
  pullRequest: string | undefined;
}

/** The address of an entry within its page. */
export function anchorOf(seq: number): string {
  return `message-${seq}`;
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
        <Row entry={entry} icon={icon} tone={tone} word={word}>
          <LongText text={entry.text} needle={needle} tone={entry.mark === "Failed" ? "text-bad" : ""} />
        </Row>
      );
    }
    case "said":
      return (
        <Row entry={entry} icon={Bot} tone="text-accent-text" word="The agent">
          <LongText text={entry.text} needle={needle} tone="" />
        </Row>
      );
    case "phase":
      return <PhaseEntry entry={entry} needle={needle} />;
    case "tool":
      return <ToolEntry entry={entry} needle={needle} />;
    case "question":
      return <QuestionEntry entry={entry} needle={needle} />;
    case "changes":
      return (
        <Row entry={entry} icon={FileDiff} tone="text-soft" word="Changes">
          <ChangesEntry changes={entry.changes} needle={needle} pullRequest={pullRequest} />
        </Row>
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

interface RowProps {
  entry: Entry;
  icon: LucideIcon;
  tone: string;
  word: string;
  children: ReactNode;
}

function Row({ entry, icon: Icon, tone, word, children }: RowProps) {
  return (
    <div className="flex items-start gap-2.5 px-4 py-1.5">
      <Icon className={`mt-0.5 size-4 shrink-0 ${tone}`} aria-hidden />
      <span className="sr-only">{word}:</span>
      <div className="min-w-0 flex-1 text-sm">{children}</div>
      <Stamp entry={entry} />
    </div>
  );
}

/** When it was, and the link to it. Thousands of relative times would all change every few seconds. */
function Stamp({ entry: { seq, time } }: { entry: Entry }) {
  return (
    <a href={`#${anchorOf(seq)}`} title={`${absolute(time)}. Link to this entry`} className="numbers shrink-0 rounded text-xs leading-5 text-faint hover:text-ink hover:underline pointer-coarse:-my-2 pointer-coarse:py-2">
      <time dateTime={time}>{clock(time)}</time>
    </a>
  );
}

/** Longer texts are folded. */
const LONG = 1_200;

function LongText({ text, needle, tone }: { text: string; needle: string; tone: string }) {
  const [open, setOpen] = useState(false);
  const whole = open || text.length <= LONG || holds(text.slice(LONG - needle.length), needle);
  return (
    <>
      <p className={`break-words whitespace-pre-wrap ${tone}`}>
        <Marked text={whole ? text : `${text.slice(0, LONG)}…`} needle={needle} />
      </p>
      {!whole && (
        <button type="button" onClick={() => setOpen(true)} className="rounded font-medium text-accent-text underline-offset-2 hover:underline pointer-coarse:py-3">
          Show all {text.length.toLocaleString("en-GB")} characters
        </button>
      )}
    </>
  );
}

/** A phase is the head of what follows it. */
function PhaseEntry({ entry, needle }: { entry: Phase; needle: string }) {
  const begins = entry.status === "started";
  return (
    <div className={`flex items-baseline gap-2.5 px-4 ${begins ? "mt-2 border-t border-line pt-2.5 pb-1" : "py-1.5"}`}>
      <h3 className={`min-w-0 flex-1 text-sm break-words ${begins ? "font-semibold" : "text-soft"}`}>
        <Marked text={entry.text} needle={needle} />
      </h3>
      <Stamp entry={entry} />
    </div>
  );
}

/** One line; what went in and what came back are folded, unless what was looked for stands there. */
function ToolEntry({ entry, needle }: { entry: Tool; needle: string }) {
  const { name, input, answer } = entry;
  const [chosen, setChosen] = useState<boolean>();
  const [first = ""] = input.split("\n", 1);
  const hidden = holds(input.slice(first.length), needle) || holds(answer?.output ?? "", needle);
  const open = chosen ?? hidden;
  const failed = answer?.failed === true;
  return (
    <div className="relative">
      <details open={open} onToggle={(event) => event.currentTarget.open !== open && setChosen(event.currentTarget.open)} className="group/tool">
        <summary className="flex cursor-pointer list-none items-center gap-2.5 py-1.5 pr-20 pl-4 text-sm hover:bg-hover/50 focus-visible:-outline-offset-2 pointer-coarse:py-3 [&::-webkit-details-marker]:hidden">
          <ToolIcon answer={answer} />
          <span className="shrink-0 font-medium">
            <Marked text={name} needle={needle} />
          </span>
          <span className="min-w-0 flex-1 truncate font-mono text-xs text-soft">
            <Marked text={first} needle={needle} />
          </span>
          {failed && <span className="shrink-0 text-xs text-bad">failed</span>}
          <ChevronRight className="size-3.5 shrink-0 text-faint transition-transform group-open/tool:rotate-90" aria-hidden />
        </summary>
        {open && (
          <div className="grid gap-1.5 pr-4 pb-2 pl-[2.625rem]">
            {input !== first && <Output label={`What ${name} was given`} text={input} needle={needle} />}
            {answer === undefined ? <p className="text-xs text-faint">It has not answered yet.</p> : <Output label={`What ${name} answered`} text={answer.output === "" ? "Nothing." : answer.output} needle={needle} />}
          </div>
        )}
      </details>
      {/* Beside the summary: a link within it would be a control within a control. */}
      <div className="absolute top-1.5 right-4 pointer-coarse:top-3">
        <Stamp entry={entry} />
      </div>
    </div>
  );
}

function ToolIcon({ answer }: { answer: Tool["answer"] }) {
  if (answer === undefined) return <LoaderCircle className="size-4 shrink-0 text-busy" aria-label="Tool, running:" />;
  return answer.failed ? <CircleAlert className="size-4 shrink-0 text-bad" aria-label="Tool:" /> : <Wrench className="size-4 shrink-0 text-soft" aria-label="Tool:" />;
}

function Output({ label, text, needle }: { label: string; text: string; needle: string }) {
  return (
    <pre tabIndex={0} role="region" aria-label={label} className="max-h-80 overflow-auto rounded-lg border border-line bg-canvas px-3 py-2 font-mono text-xs leading-5 whitespace-pre-wrap wrap-anywhere">
      <Marked text={text} needle={needle} />
    </pre>
  );
}

function QuestionEntry({ entry, needle }: { entry: Asked; needle: string }) {
  const { text, options, answer } = entry;
  return (
    <Row entry={entry} icon={CircleQuestionMark} tone="text-accent-text" word="Question">
      <div className="rounded-lg border border-accent-text/40 px-3 py-2">
        <p className="font-medium break-words whitespace-pre-wrap">
          <Marked text={text} needle={needle} />
        </p>
        {options.length > 0 && (
          <ul className="mt-1 list-disc pl-5 text-soft">
            {options.map((option) => (
              <li key={option} className="break-words">
                <Marked text={option} needle={needle} />
              </li>
            ))}
          </ul>
        )}
        {answer !== undefined && (
          <p className="mt-1.5 border-t border-line pt-1.5 break-words whitespace-pre-wrap">
            <span className="text-soft">
              <Marked text={answer.by ?? "Somebody"} needle={needle} /> answered at{" "}
              <time dateTime={answer.time} title={absolute(answer.time)}>
                {clock(answer.time)}
              </time>
              :{" "}
            </span>
            <Marked text={answer.text} needle={needle} />
          </p>
        )}
      </div>
    </Row>
  );
}
