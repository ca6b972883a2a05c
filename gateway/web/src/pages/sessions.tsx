import { Plus, SquareTerminal, WifiOff } from "lucide-react";
import { useCallback, useDeferredValue, useState } from "react";
import { useSearchParams } from "react-router";
import { useStreamState } from "../api/live";
import { useSessions } from "../api/sessions";
import type { Session } from "../api/types";
import { Button } from "../components/button";
import { CodeBlock } from "../components/code";
import { LoadError, Skeleton, StateFilter } from "../components/list";
import { useAuth } from "../layout/auth";
import { useNamespace } from "../layout/namespace";
import { useTitle } from "../layout/waiting";
import { exampleManifest } from "../session/manifest";
import { FILTERS, STATE_WORDS, stateOf } from "../session/state";
import { CreateDialog } from "./create-dialog";
import { SessionActions } from "./session-actions";
import { SessionRow, type RowAction } from "./session-row";

export function SessionsPage() {
  const { me, live } = useAuth();
  const stream = useStreamState(live);
  const [params, setParams] = useSearchParams();
  const [namespace] = useNamespace();
  const { data: newest, error, refetch } = useSessions();
  // A long list is drawn in slices, so that typing and scrolling go first.
  const data = useDeferredValue(newest);
  const filter = params.get("state");
  const creating = params.has("new");

  useTitle("Sessions");

  const set = (name: string, value: string | undefined): void => {
    const next = new URLSearchParams(params);
    if (value === undefined) next.delete(name);
    else next.set(name, value);
    setParams(next, { replace: name !== "new" });
  };

  const inNamespace = (data ?? []).filter((session) => namespace === undefined || session.namespace === namespace);
  const shown = inNamespace.filter((session) => filter === null || stateOf(session) === filter).sort(byName);
  const mayCreate = me.namespaces.some((each) => each.createSessions && (namespace === undefined || each.name === namespace));

  return (
    <div className="mx-auto max-w-6xl px-4 py-5 sm:px-6 lg:px-8">
      <header className="mb-4 flex flex-wrap items-center gap-x-3 gap-y-2">
        <h1 className="text-lg font-semibold tracking-tight">Sessions</h1>
        {data !== undefined && <span className="numbers text-sm text-faint">{inNamespace.length}</span>}
        {stream === "down" && data !== undefined && (
          <span className="inline-flex items-center gap-1.5 text-xs text-busy">
            <WifiOff className="size-3.5" aria-hidden /> No live updates: this may be old
          </span>
        )}
        <div className="flex-1" />
        {mayCreate && (
          <Button look="primary" onClick={() => set("new", "")}>
            <Plus className="size-4" aria-hidden /> New session
          </Button>
        )}
      </header>

      {inNamespace.length > 0 && <StateFilter choices={FILTERS.map((id) => ({ id, label: STATE_WORDS[id], count: inNamespace.filter((session) => stateOf(session) === id).length }))} all={inNamespace.length} value={filter} onChange={(value) => set("state", value)} />}
      {data === undefined && error === null && <Skeleton label="Loading sessions" />}
      {data === undefined && error !== null && <LoadError error={error} retry={() => void refetch()} />}
      {data !== undefined && inNamespace.length === 0 && <Empty namespace={namespace ?? me.defaultNamespace ?? me.namespaces[0]?.name} mayCreate={mayCreate} onNew={() => set("new", "")} />}
      {inNamespace.length > 0 && shown.length === 0 && (
        <p className="rounded-xl border border-line bg-surface p-8 text-center text-soft">
          No session is {STATE_WORDS[filter as keyof typeof STATE_WORDS].toLowerCase()}.{" "}
          <button type="button" className="font-medium text-accent-text underline-offset-2 hover:underline" onClick={() => set("state", undefined)}>
            Show all
          </button>
        </p>
      )}
      {shown.length > 0 && <List sessions={shown} withNamespace={namespace === undefined} />}
      {creating && <CreateDialog namespace={namespace} onClose={() => set("new", undefined)} />}
    </div>
  );
}

function byName(one: Session, other: Session): number {
  return one.namespace.localeCompare(other.namespace) || one.name.localeCompare(other.name);
}

function List({ sessions, withNamespace }: { sessions: Session[]; withNamespace: boolean }) {
  const [acting, setActing] = useState<{ session: Session; on: RowAction }>();
  const act = useCallback((session: Session, on: RowAction) => setActing({ session, on }), []);
  return (
    <>
      <ul aria-label="Sessions" className="divide-y divide-line rounded-xl border border-line bg-surface">
        {sessions.map((session) => (
          <SessionRow key={session.uid} session={session} withNamespace={withNamespace} onAct={act} />
        ))}
      </ul>
      {acting !== undefined && <SessionActions session={acting.session} action={acting.on} onClose={() => setActing(undefined)} />}
    </>
  );
}

function Empty({ namespace = "default", mayCreate, onNew }: { namespace: string | undefined; mayCreate: boolean; onNew: () => void }) {
  return (
    <section className="mx-auto mt-10 grid max-w-md justify-items-center gap-4 text-center sm:mt-16">
      <span className="grid size-12 place-items-center rounded-xl border border-line bg-surface">
        <SquareTerminal className="size-5 text-accent-text" aria-hidden />
      </span>
      <div>
        <h2 className="text-base font-semibold">No sessions yet</h2>
        <p className="mt-1 text-soft">A session is a workspace in a pod with a terminal that survives disconnects.</p>
      </div>
      {mayCreate ? (
        <Button look="primary" onClick={onNew}>
          <Plus className="size-4" aria-hidden /> New session
        </Button>
      ) : (
        <p className="text-sm text-soft">You may not create one here; ask for the role that edits sessions in this namespace.</p>
      )}
      <div className="w-full min-w-0">
        <p className="mb-1.5 text-xs text-faint">or the same with kubectl apply</p>
        <CodeBlock label="manifest" text={exampleManifest(namespace)} />
      </div>
    </section>
  );
}
