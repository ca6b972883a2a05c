import { Play } from "lucide-react";
import { useCallback, useDeferredValue, useMemo, useState } from "react";
import { useStreamState } from "../api/live";
import { ARCHIVED_RUNS, useArchivedRuns, useRuns } from "../api/runs";
import type { Run } from "../api/types";
import { useListAddress } from "../components/address";
import { EmptyList, LoadError, NewButton, NoneInState, OldHint, Skeleton, StateFilter } from "../components/list";
import { useAuth } from "../layout/auth";
import { useNamespace } from "../layout/namespace";
import { useTitle } from "../layout/waiting";
import { exampleManifest } from "../run/manifest";
import { FILTERS, STATE_WORDS, stateOf } from "../run/state";
import { CreateRunDialog } from "./create-run-dialog";
import { RunActions, type RunAction } from "./run-actions";
import { RunRow } from "./run-row";

export function RunsPage() {
  const { me, live } = useAuth();
  const stream = useStreamState(live);
  const [params, set] = useListAddress();
  const [namespace] = useNamespace();
  const { data: newest, error, refetch } = useRuns();
  // A long list is drawn in slices, so that typing and scrolling go first.
  const living = useDeferredValue(newest);
  const filter = params.get("state");
  const withDeleted = params.has("deleted");
  const archived = useArchivedRuns(namespace, withDeleted);
  const data = useMemo(() => living && (withDeleted ? withArchived(living, archived.data ?? []) : living), [living, withDeleted, archived.data]);

  useTitle("Runs");

  const inNamespace = (data ?? []).filter((run) => namespace === undefined || run.namespace === namespace);
  const shown = inNamespace.filter((run) => filter === null || stateOf(run) === filter).sort(byNeed);
  const mayCreate = me.namespaces.some((each) => each.createRuns && (namespace === undefined || each.name === namespace));
  const choices = FILTERS.map((id) => ({ id, label: STATE_WORDS[id], count: inNamespace.filter((run) => stateOf(run) === id).length }));

  return (
    <div className="mx-auto max-w-6xl px-4 py-5 sm:px-6 lg:px-8">
      <header className="mb-4 flex flex-wrap items-center gap-x-2 gap-y-2 sm:gap-x-3">
        <h1 className="text-lg font-semibold tracking-tight">Runs</h1>
        {data !== undefined && <span className="numbers text-sm text-faint">{inNamespace.length}</span>}
        {stream === "down" && data !== undefined && <OldHint />}
        <div className="flex-1" />
        <DeletedSwitch on={withDeleted} onChange={(on) => set("deleted", on ? "" : undefined)} />
        {mayCreate && <NewButton kind="run" onClick={() => set("new", "")} />}
      </header>

      {withDeleted && <ArchiveState runs={archived.data} error={archived.error} />}
      {inNamespace.length > 0 && <StateFilter choices={choices} all={inNamespace.length} value={filter} onChange={(value) => set("state", value)} />}
      {data === undefined && error === null && <Skeleton label="Loading runs" />}
      {data === undefined && error !== null && <LoadError error={error} retry={() => void refetch()} />}
      {data !== undefined && inNamespace.length === 0 && (
        <EmptyList
          icon={Play}
          kind="run"
          meaning="A run carries a plan out in a pod of its own and pushes what came of it to a branch."
          mayCreate={mayCreate}
          onNew={() => set("new", "")}
          manifest={exampleManifest(namespace ?? me.defaultNamespace ?? me.namespaces[0]?.name ?? "default")}
        />
      )}
      {inNamespace.length > 0 && shown.length === 0 && <NoneInState kind="run" state={STATE_WORDS[filter as keyof typeof STATE_WORDS]} onAll={() => set("state", undefined)} />}
      {shown.length > 0 && <List runs={shown} withNamespace={namespace === undefined} />}
      {params.has("new") && <CreateRunDialog namespace={namespace} onClose={() => set("new", undefined)} />}
    </div>
  );
}

function DeletedSwitch({ on, onChange }: { on: boolean; onChange: (on: boolean) => void }) {
  return (
    <label className="inline-flex h-8 cursor-pointer items-center gap-2 rounded-md px-1 text-sm text-soft sm:px-2 hover:text-ink pointer-coarse:h-11">
      <input type="checkbox" role="switch" checked={on} onChange={(event) => onChange(event.target.checked)} className="size-4 accent-accent pointer-coarse:size-5" />
      Show deleted
    </label>
  );
}

/** What the list cannot show of the archive. */
function ArchiveState({ runs, error }: { runs: Run[] | undefined; error: Error | null }) {
  if (error !== null) {
    return (
      <p role="alert" className="mb-3 text-sm break-words text-bad">
        Deleted runs cannot be listed: {error.message}
      </p>
    );
  }
  if (runs === undefined) return <p role="status" className="mb-3 text-sm text-soft">Reading the archive…</p>;
  if (runs.length < ARCHIVED_RUNS) return null;
  return <p className="mb-3 text-sm text-soft">Of the deleted runs these are the newest {ARCHIVED_RUNS.toLocaleString("en-GB")}; the API lists all.</p>;
}

/** Both, without those that were deleted since and come back as archived ones. */
function withArchived(living: Run[], archived: Run[]): Run[] {
  const there = new Set(living.map(({ uid }) => uid));
  return [...living, ...archived.filter(({ uid }) => !there.has(uid))];
}

/** Those that wait for a human first, then the newest: runs come and go. */
function byNeed(one: Run, other: Run): number {
  return Number(stateOf(other) === "escalated") - Number(stateOf(one) === "escalated") || other.createdAt.localeCompare(one.createdAt) || one.name.localeCompare(other.name);
}

function List({ runs, withNamespace }: { runs: Run[]; withNamespace: boolean }) {
  const [acting, setActing] = useState<{ run: Run; on: RunAction }>();
  const act = useCallback((run: Run, on: RunAction) => setActing({ run, on }), []);
  return (
    <>
      <ul aria-label="Runs" className="divide-y divide-line rounded-xl border border-line bg-surface">
        {runs.map((run) => (
          <RunRow key={run.uid} run={run} withNamespace={withNamespace} onAct={act} />
        ))}
      </ul>
      {acting !== undefined && <RunActions run={acting.run} action={acting.on} onClose={() => setActing(undefined)} />}
    </>
  );
}
