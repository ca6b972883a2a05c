import type { Session } from "../api/types";
import type { TodoStatus } from "../chat/protocol";
import type { Chat } from "../chat/state";
import { tokens } from "../chat/words";
import { CostPanel } from "../components/cost-panel";
import { effectiveBudget } from "../components/money";
import { Panel } from "../components/panel";
import { TodoList } from "../components/todo-list";
import { useAuth } from "../layout/auth";

const STATUS = { pending: "Pending", inProgress: "InProgress", completed: "Completed" } as const satisfies Record<TodoStatus, string>;

/** What there is to do, and what it has cost. */
export function ChatSide({ session, chat: { todos, usage } }: { session: Session; chat: Chat }) {
  const { me } = useAuth();
  const done = todos.filter(({ status }) => status === "completed").length;
  return (
    <aside aria-label="Work" className="grid max-h-full shrink-0 content-start gap-3 overflow-y-auto border-b border-line p-3 lg:max-h-[40%] lg:grid-cols-[minmax(0,1fr)_12rem]">
      <Panel title="To do" aside={todos.length === 0 ? undefined : <span className="numbers">{`${done} of ${todos.length} done`}</span>}>
        <div className="px-4 pb-4">{todos.length === 0 ? <p className="text-sm text-soft">The agent has not made a list yet.</p> : <TodoList todos={todos.map(({ text, status }) => ({ text, status: STATUS[status] }))} />}</div>
      </Panel>
      <CostPanel cost={usage?.cost ?? "0"} budget={effectiveBudget(session.spec.agent?.budgetUSD, me.defaultBudgetUSD)} tokens={tokens(usage)} />
    </aside>
  );
}
