import { SquareTerminal } from "lucide-react";
import { useCallback, useDeferredValue, useState } from "react";
import { useStreamState } from "../api/live";
import { useSessions } from "../api/sessions";
import type { Session } from "../api/types";
import { useListAddress } from "../components/address";
import { EmptyList, LoadError, NewButton, NoneInState, OldHint, Skeleton, StateFilter } from "../components/list";
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
  const [params, set] = useListAddress();
  const [namespace] = useNamespace();
  const { data: newest, error, refetch } = useSessions();
  // A long list is drawn in slices, so that typing and scrolling go first.
  const data = useDeferredValue(newest);
  const filter = params.get("state");
  const creating = params.has("new");

  useTitle("Sessions");

  const inNamespace = (data ?? []).filter((session) => namespace === undefined || session.namespace === namespace);
  const shown = inNamespace.filter((session) => filter === null || stateOf(session) === filter).sort(byName);
  const mayCreate = me.namespaces.some((each) => each.createSessions && (namespace === undefined || each.name === namespace));

  return (
    <div className="mx-auto max-w-6xl px-4 py-5 sm:px-6 lg:px-8">
      <header className="mb-4 flex flex-wrap items-center gap-x-3 gap-y-2">
        <h1 className="text-lg font-semibold tracking-tight">Sessions</h1>
        {data !== undefined && <span className="numbers text-sm text-faint">{inNamespace.length}</span>}
        {stream === "down" && data !== undefined && <OldHint />}
        <div className="flex-1" />
        {mayCreate && <NewButton kind="session" onClick={() => set("new", "")} />}
      </header>

      {inNamespace.length > 0 && <StateFilter choices={FILTERS.map((id) => ({ id, label: STATE_WORDS[id], count: inNamespace.filter((session) => stateOf(session) === id).length }))} all={inNamespace.length} value={filter} onChange={(value) => set("state", value)} />}
      {data === undefined && error === null && <Skeleton label="Loading sessions" />}
      {data === undefined && error !== null && <LoadError error={error} retry={() => void refetch()} />}
      {data !== undefined && inNamespace.length === 0 && (
        <EmptyList
          icon={SquareTerminal}
          kind="session"
          meaning="A session is a workspace in a pod with a terminal that survives disconnects."
          mayCreate={mayCreate}
          onNew={() => set("new", "")}
          manifest={exampleManifest(namespace ?? me.defaultNamespace ?? me.namespaces[0]?.name ?? "default")}
        />
      )}
      {inNamespace.length > 0 && shown.length === 0 && <NoneInState kind="session" state={STATE_WORDS[filter as keyof typeof STATE_WORDS]} onAll={() => set("state", undefined)} />}
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
