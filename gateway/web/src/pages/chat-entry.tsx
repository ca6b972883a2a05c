import { Bot, Brain, CircleAlert, CircleCheck, CircleDot, GitPullRequest, Info, ListChecks, LoaderCircle, OctagonAlert, SquareTerminal, TextCursorInput, type LucideIcon } from "lucide-react";
import { memo, use, useState } from "react";
import { commandOf, headOf } from "../chat/command";
import type { Asked, Ended, Entry, PhaseHead, Said, Spoken, Tool } from "../chat/entries";
import { autonomyWords, capital, endWords, SPOKEN_WORDS } from "../chat/words";
import { IconButton } from "../components/button";
import { holds } from "../components/find";
import { LongText } from "../components/long-text";
import { Markdown } from "../components/markdown";
import { Marked } from "../components/marked";
import { dollars } from "../components/money";
import { QuestionRow } from "../components/question-row";
import { anchorOf, Stamp } from "../components/stamp";
import { Duration } from "../components/time";
import { TimelineRow } from "../components/timeline-row";
import { ToolRow } from "../components/tool-row";
import { milliseconds } from "../session/time";
import { ShellContext } from "./chat-shell";

interface Props {
  entry: Entry;
  needle: string;
  /** The address names it. */
  linked: boolean;
  /** It is the first that nobody has read. */
  unread: boolean;
}

/** One line of the chat. Drawn again only when it has changed. */
export const ChatEntry = memo(function ChatEntry({ entry, needle, linked, unread }: Props) {
  return (
    <li id={anchorOf(entry.seq)} data-entry={entry.is} className={linked ? "bg-accent-soft" : undefined}>
      {unread && (
        <p className="flex items-center gap-2 px-4 py-1 text-xs font-medium text-accent-text">
          <span className="h-px flex-1 bg-accent-text/50" aria-hidden />
          New since you looked
          <span className="h-px flex-1 bg-accent-text/50" aria-hidden />
        </p>
      )}
      <Body entry={entry} needle={needle} />
    </li>
  );
});

function Body({ entry, needle }: Pick<Props, "entry" | "needle">) {
  const at = { seq: entry.seq, time: entry.time };
  switch (entry.is) {
    case "user":
      return <UserRow entry={entry} needle={needle} />;
    case "said":
      return <SaidRow entry={entry} needle={needle} />;
    case "tool":
      return <CallRow entry={entry} needle={needle} />;
    case "phase":
      return <PhaseRow entry={entry} needle={needle} />;
    case "question":
      // While it is open its options stand below the log.
      return <QuestionRow {...at} text={entry.text} options={entry.answer === undefined ? [] : entry.options} answer={answerOf(entry)} needle={needle} />;
    case "line": {
      const { icon, tone, word } = MARKS[entry.mark] ?? NOTICE;
      return (
        <TimelineRow {...at} icon={icon} tone={tone} word={word}>
          <div className="flex gap-3">
            <div className="min-w-0 flex-1">
              <LongText text={entry.text} needle={needle} tone={entry.mark === "failed" ? "text-bad" : "text-soft"} />
            </div>
            {entry.durationMs !== undefined && <span className="numbers shrink-0 text-xs leading-5 text-faint">{milliseconds(entry.durationMs)}</span>}
          </div>
        </TimelineRow>
      );
    }
    case "error":
      return (
        <TimelineRow {...at} icon={CircleAlert} tone={entry.recoverable ? "text-busy" : "text-bad"} word="Error">
          <p className={`break-words whitespace-pre-wrap ${entry.recoverable ? "text-busy" : "text-bad"}`}>
            <Marked text={entry.text} needle={needle} />
          </p>
        </TimelineRow>
      );
    case "begun":
      return (
        <TimelineRow {...at} icon={ListChecks} tone="text-accent-text" word="Workflow">
          <p className="break-words">
            The agent works on item <Marked text={entry.workId} needle={needle} />. {autonomyWords(entry.autonomy)}
          </p>
        </TimelineRow>
      );
    case "ended":
      return <EndRow entry={entry} needle={needle} />;
  }
}

/** A call of a tool. What the agent runs stands in its terminal, and can be had in the reader's shell, too. */
function CallRow({ entry: { seq, time, id, name, input, answer, audit }, needle }: { entry: Tool; needle: string }) {
  const toShell = use(ShellContext);
  const head = headOf({ name, id });
  const command = commandOf({ name, input });
  const action = toShell !== undefined && head !== undefined && (
    <>
      {command !== undefined && (
        <IconButton label="Type it into the terminal" onClick={() => toShell({ do: "type", command })} className="-my-1 pointer-coarse:-my-3">
          <TextCursorInput className="size-4" aria-hidden />
        </IconButton>
      )}
      <IconButton label="Show it in the agent's terminal" onClick={() => toShell({ do: "show", head })} className="-my-1 pointer-coarse:-my-3">
        <SquareTerminal className="size-4" aria-hidden />
      </IconButton>
    </>
  );
  return <ToolRow seq={seq} time={time} name={name} input={input} answer={answer} audit={audit} needle={needle} {...(action !== false && { action })} />;
}

/** A question that was withdrawn is closed by an answer that is nobody's. */
function answerOf({ answer }: Asked) {
  return answer && { ...answer, by: answer.by ?? "Nobody" };
}

const NOTICE = { icon: Info, tone: "text-soft", word: "Notice" };

const MARKS: Record<string, { icon: LucideIcon; tone: string; word: string }> = {
  started: { icon: CircleDot, tone: "text-soft", word: "Started" },
  progress: { icon: LoaderCircle, tone: "text-busy", word: "Progress" },
  finished: { icon: CircleCheck, tone: "text-good", word: "Finished" },
  failed: { icon: CircleAlert, tone: "text-bad", word: "Failed" },
  notice: NOTICE,
};

function UserRow({ entry: { author, text, state, seq, time }, needle }: { entry: Spoken; needle: string }) {
  const words = SPOKEN_WORDS[state];
  return (
    <div className="flex justify-end py-1.5 pr-4 pl-10">
      <div className="max-w-full min-w-0">
        <div className="mb-0.5 flex items-baseline justify-end gap-2 text-xs text-faint">
          {words !== undefined && (
            <span data-state={state} className={state === "cancelled" ? "text-soft" : "text-busy"}>
              {words}
            </span>
          )}
          <span className="min-w-0 truncate font-medium text-soft">
            <Marked text={author} needle={needle} />
          </span>
          <Stamp seq={seq} time={time} />
        </div>
        <div className={`rounded-lg bg-accent-soft px-3 py-2 text-sm ${state === "cancelled" ? "line-through" : ""}`}>
          <LongText text={text} needle={needle} tone="" />
        </div>
      </div>
    </div>
  );
}

function SaidRow({ entry, needle }: { entry: Said; needle: string }) {
  if (entry.thought) return <ThoughtRow entry={entry} needle={needle} />;
  return (
    <TimelineRow seq={entry.seq} time={entry.time} icon={Bot} tone="text-accent-text" word="The agent">
      <div data-final={entry.final} {...(entry.final ? {} : { "aria-busy": true })}>
        <Markdown text={entry.text} needle={needle} />
      </div>
    </TimelineRow>
  );
}

function ThoughtRow({ entry: { text, seq, time }, needle }: { entry: Said; needle: string }) {
  const [chosen, setChosen] = useState<boolean>();
  const open = chosen ?? holds(text, needle);
  const [first = ""] = text.split("\n", 1);
  return (
    <TimelineRow seq={seq} time={time} icon={Brain} tone="text-faint" word="Thought">
      <details open={open} onToggle={(event) => event.currentTarget.open !== open && setChosen(event.currentTarget.open)}>
        <summary className="cursor-pointer truncate rounded text-soft pointer-coarse:-my-3 pointer-coarse:py-3">{open ? "Thought" : first}</summary>
        {open && (
          <div className="mt-1 text-soft">
            <Markdown text={text} needle={needle} />
          </div>
        )}
      </details>
    </TimelineRow>
  );
}

/** A phase is the head of what follows it. */
function PhaseRow({ entry: { phase, status, retry, step, message, time, endedAt, seq }, needle }: { entry: PhaseHead; needle: string }) {
  return (
    <div className="mt-2 border-t border-line px-4 pt-2.5 pb-1">
      <div className="flex items-baseline gap-2.5">
        <h3 className="text-sm font-semibold">
          <Marked text={capital(phase)} needle={needle} />
        </h3>
        {retry > 0 && <span className="numbers rounded-full bg-busy-soft px-1.5 text-xs text-busy">retry {retry}</span>}
        <span className={`min-w-0 flex-1 truncate text-xs ${status === "failed" ? "text-bad" : "text-faint"}`}>
          {status === "started" ? <Marked text={step ?? ""} needle={needle} /> : status}
          {endedAt !== undefined && (
            <>
              {" in "}
              <Duration from={time} to={endedAt} />
            </>
          )}
        </span>
        <Stamp seq={seq} time={time} />
      </div>
      {message !== undefined && message !== "" && (
        <p className="text-sm break-words text-soft">
          <Marked text={message} needle={needle} />
        </p>
      )}
    </div>
  );
}

function EndRow({ entry, needle }: { entry: Ended; needle: string }) {
  const { text, good } = endWords(entry);
  const Icon = good ? CircleCheck : OctagonAlert;
  return (
    <div className={`mx-4 my-2 grid gap-2 rounded-xl border px-4 py-3 ${good ? "border-good/40 bg-good-soft" : "border-bad/40 bg-bad-soft"}`}>
      <div className="flex items-center gap-2">
        <Icon className={`size-4 shrink-0 ${good ? "text-good" : "text-bad"}`} aria-hidden />
        <h3 className={`min-w-0 flex-1 text-sm font-semibold ${good ? "text-good" : "text-bad"}`}>{text}</h3>
        <span className="numbers text-xs text-soft">{dollars(entry.cost)}</span>
      </div>
      <div className="text-sm">
        <Markdown text={entry.text} needle={needle} />
      </div>
      {entry.pullRequest !== undefined && (
        <a href={entry.pullRequest} target="_blank" rel="noreferrer" className="inline-flex w-fit max-w-full items-center gap-1.5 rounded text-sm font-medium text-accent-text underline underline-offset-2 pointer-coarse:py-3">
          <GitPullRequest className="size-4 shrink-0" aria-hidden />
          <span className="min-w-0 break-all">Pull request {entry.pullRequest.replace(/^https?:\/\//, "")}</span>
        </a>
      )}
    </div>
  );
}
