import { Circle, CircleCheck, LoaderCircle, type LucideIcon } from "lucide-react";
import type { Run } from "../api/types";
import { Panel } from "../components/panel";
import { budgetShare, dollars, tokens } from "../run/cost";

type Todo = NonNullable<NonNullable<NonNullable<Run["status"]>["faber"]>["todos"]>[number];

const TODO_MARKS: Record<Todo["status"], { icon: LucideIcon; tone: string; word: string }> = {
  Pending: { icon: Circle, tone: "text-faint", word: "To do" },
  InProgress: { icon: LoaderCircle, tone: "text-busy", word: "In progress" },
  Completed: { icon: CircleCheck, tone: "text-good", word: "Done" },
};

/** Where the agent says it is in its work; nothing until it says something. */
export function Work({ run }: { run: Run }) {
  const { phase, todos = [] } = run.status?.faber ?? {};
  if (phase === undefined && todos.length === 0) return null;
  return (
    <Panel title="Work" aside={phase === undefined ? undefined : `Phase: ${phase}`}>
      {todos.length > 0 && (
        <ul aria-label="Things to do" className="grid gap-1.5 px-4 pb-4 text-sm">
          {todos.map(({ text, status }, at) => {
            const { icon: Icon, tone, word } = TODO_MARKS[status];
            return (
              <li key={at} className="flex items-start gap-2">
                <Icon className={`mt-0.5 size-4 shrink-0 ${tone}`} aria-hidden />
                <span className="sr-only">{word}:</span>
                <span className="min-w-0 break-words">{text}</span>
              </li>
            );
          })}
        </ul>
      )}
    </Panel>
  );
}

/** What models cost so far, against the budget; nothing for a run that asks none. */
export function Cost({ run }: { run: Run }) {
  const usage = run.status?.usage;
  const budget = run.spec.agent?.budgetUSD;
  const share = budgetShare(run);
  if (usage === undefined && budget === undefined) return null;
  return (
    <Panel title="Cost" aside="by list prices">
      <div className="grid gap-2 px-4 pb-4 text-sm">
        <p className="numbers">
          <span className="font-medium">{dollars(usage?.estimatedCostUSD ?? "0")}</span>
          {budget !== undefined && <span className="text-soft"> of {dollars(budget)}</span>}
        </p>
        {share !== undefined && <meter aria-label="Share of the budget" className="h-2 w-full" value={share} high={0.8} />}
        {usage !== undefined && (
          <details>
            <summary className="w-fit cursor-pointer rounded text-xs text-soft hover:text-ink pointer-coarse:py-3">Tokens</summary>
            <dl className="numbers mt-1 grid grid-cols-[1fr_auto] gap-x-4 gap-y-1 text-xs">
              {tokens(usage).map(([name, count]) => (
                <div key={name} className="contents">
                  <dt className="text-faint">{name}</dt>
                  <dd className="text-right">{count}</dd>
                </div>
              ))}
            </dl>
          </details>
        )}
      </div>
    </Panel>
  );
}
