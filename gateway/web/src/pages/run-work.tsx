import type { Run } from "../api/types";
import { CostPanel } from "../components/cost-panel";
import { Panel } from "../components/panel";
import { TodoList } from "../components/todo-list";
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
  const { usage } = run.status ?? {};
  return <CostPanel cost={usage?.estimatedCostUSD} budget={run.spec.agent?.budgetUSD} tokens={usage === undefined ? [] : tokens(usage)} />;
}
