import type { Run } from "../api/types";
import { CostPanel } from "../components/cost-panel";
import { effectiveBudget } from "../components/money";
import { Panel } from "../components/panel";
import { TodoList } from "../components/todo-list";
import { useAuth } from "../layout/auth";
import { tokens } from "../run/cost";

/** Where the agent says it is in its work; nothing until it says something. */
export function Work({ run }: { run: Run }) {
  const { phase, todos = [] } = run.status?.faber ?? {};
  if (phase === undefined && todos.length === 0) return null;
  return (
    <Panel title="Work" aside={phase === undefined ? undefined : `Phase: ${phase}`}>
      {todos.length > 0 && (
        <div className="px-4 pb-4">
          <TodoList todos={todos} />
        </div>
      )}
    </Panel>
  );
}

/** What models cost so far; nothing for a run that asks none. */
export function Cost({ run }: { run: Run }) {
  const { me } = useAuth();
  const { usage } = run.status ?? {};
  // Who has cost nothing may be a script, which no budget bounds.
  const budget = effectiveBudget(run.spec.agent?.budgetUSD, usage === undefined ? undefined : me.defaultBudgetUSD);
  return <CostPanel cost={usage?.estimatedCostUSD} budget={budget} tokens={usage === undefined ? [] : tokens(usage)} />;
}
