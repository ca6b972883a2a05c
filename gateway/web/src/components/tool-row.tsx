import { ChevronRight, CircleAlert, LoaderCircle, Wrench } from "lucide-react";
import { useState, type ReactNode } from "react";
import { milliseconds } from "../session/time";
import { auditWords, type Audit } from "./audit";
import { holds } from "./find";
import { Marked } from "./marked";
import { Stamp } from "./stamp";

interface Props {
  name: string;
  input: string;
  /** Not there while the tool works. */
  answer: { output: string; failed: boolean; durationMs?: number | undefined } | undefined;
  /** Of a tool of the runtime's own. */
  audit?: Audit | undefined;
  needle: string;
  seq: number;
  time: string;
  /** What can be done with it: beside its time. */
  action?: ReactNode;
}

/** One line; what went in and what came back are folded, unless what was looked for stands there. */
export function ToolRow({ name, input, answer, audit, needle, seq, time, action }: Props) {
  const [chosen, setChosen] = useState<boolean>();
  const [first = ""] = input.split("\n", 1);
  const seen = audit === undefined ? "" : auditWords(audit);
  const hidden = [input.slice(first.length), answer?.output ?? "", seen].some((text) => holds(text, needle));
  const open = chosen ?? hidden;
  const failed = answer?.failed === true;
  return (
    <div className="relative">
      <details open={open} onToggle={(event) => event.currentTarget.open !== open && setChosen(event.currentTarget.open)} className="group/tool">
        <summary className={`flex cursor-pointer list-none items-center gap-2.5 py-1.5 pl-4 text-sm hover:bg-hover/50 focus-visible:-outline-offset-2 pointer-coarse:py-3 [&::-webkit-details-marker]:hidden ${action === undefined ? "pr-20" : "pr-36 pointer-coarse:pr-44"}`}>
          <ToolIcon answer={answer} />
          <span className="min-w-0 truncate font-medium sm:shrink-0">
            <Marked text={name} needle={needle} />
          </span>
          <span className="min-w-0 flex-1 truncate font-mono text-xs text-soft">
            <Marked text={first} needle={needle} />
          </span>
          {failed && <span className="shrink-0 text-xs text-bad">{audit?.outcome === "refused" ? "refused" : "failed"}</span>}
          {answer?.durationMs !== undefined && <span className="numbers shrink-0 text-xs text-faint">{milliseconds(answer.durationMs)}</span>}
          <ChevronRight className="size-3.5 shrink-0 text-faint transition-transform group-open/tool:rotate-90" aria-hidden />
        </summary>
        {open && (
          <div className="grid gap-1.5 pr-4 pb-2 pl-[2.625rem]">
            {input !== first && <Output label={`What ${name} was given`} text={input} needle={needle} />}
            {answer === undefined ? <p className="text-xs text-faint">It has not answered yet.</p> : <Output label={`What ${name} answered`} text={answer.output === "" ? "Nothing." : answer.output} needle={needle} />}
            {audit !== undefined && (
              <p className="text-xs break-words text-faint">
                The runtime saw: <Marked text={seen} needle={needle} />
              </p>
            )}
          </div>
        )}
      </details>
      {/* Beside the summary: a link within it would be a control within a control. */}
      <div className="absolute top-1.5 right-4 flex items-center gap-1 pointer-coarse:top-3">
        {action}
        <Stamp seq={seq} time={time} />
      </div>
    </div>
  );
}

function ToolIcon({ answer }: { answer: Props["answer"] }) {
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
