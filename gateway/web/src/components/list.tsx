// What every list of objects has: the filter by state, and what stands there before and instead of it.

import { Plus, WifiOff, type LucideIcon } from "lucide-react";
import { Button } from "./button";
import { CodeBlock } from "./code";

interface Choice {
  id: string | undefined;
  label: string;
  count: number;
}

interface FilterProps {
  choices: Choice[];
  all: number;
  value: string | null;
  onChange: (value: string | undefined) => void;
}

export function StateFilter({ choices, all, value, onChange }: FilterProps) {
  return (
    <div role="group" aria-label="Filter by state" className="-mx-4 mb-3 flex gap-1 overflow-x-auto px-4 py-0.5 sm:mx-0 sm:px-0">
      {[{ id: undefined, label: "All", count: all }, ...choices].map(({ id, label, count }) => {
        const active = (id ?? null) === value;
        return (
          <button
            key={label}
            type="button"
            aria-pressed={active}
            onClick={() => onChange(id)}
            className={`inline-flex h-7 pointer-coarse:h-11 shrink-0 items-center gap-1.5 rounded-full border px-2.5 text-sm transition-colors ${
              active ? "border-edge bg-hover text-ink" : "border-transparent text-soft hover:bg-hover"
            }`}
          >
            {label}
            <span className="numbers text-xs text-faint">{count}</span>
          </button>
        );
      })}
    </div>
  );
}

export function Skeleton({ label }: { label: string }) {
  return (
    <div role="status" aria-label={label} className="divide-y divide-line rounded-xl border border-line bg-surface">
      {[0, 1, 2].map((row) => (
        <div key={row} className="flex h-16 items-center gap-4 px-4">
          <span className="h-5 w-20 animate-pulse rounded-full bg-hover" />
          <span className="h-4 w-48 animate-pulse rounded bg-hover" />
        </div>
      ))}
    </div>
  );
}

export function LoadError({ error, retry }: { error: Error; retry: () => void }) {
  return (
    <div role="alert" className="grid justify-items-center gap-3 rounded-xl border border-line bg-surface p-8 text-center">
      <p className="max-w-md">{error.message}</p>
      <Button onClick={retry}>Try again</Button>
    </div>
  );
}

/** Said while nobody tells the page of changes. */
export function OldHint() {
  return (
    <span className="inline-flex items-center gap-1.5 text-xs text-busy">
      <WifiOff className="size-3.5" aria-hidden /> No live updates: this may be old
    </span>
  );
}

export function NewButton({ kind, onClick }: { kind: string; onClick: () => void }) {
  return (
    <Button look="primary" onClick={onClick}>
      <Plus className="size-4" aria-hidden /> New {kind}
    </Button>
  );
}

/** In the place of a list that the filter leaves nothing of; `state` is the filter in words, when it is one. */
export function NoneInState({ kind, state, onAll }: { kind: string; state: string | undefined; onAll: () => void }) {
  return (
    <p className="rounded-xl border border-line bg-surface p-8 text-center text-soft">
      No {kind} is {state?.toLowerCase() ?? "in such a state"}.{" "}
      <button type="button" className="font-medium text-accent-text underline-offset-2 hover:underline" onClick={onAll}>
        Show all
      </button>
    </p>
  );
}

interface EmptyProps {
  icon: LucideIcon;
  kind: string;
  /** What such a thing is, in a sentence. */
  meaning: string;
  mayCreate: boolean;
  onNew: () => void;
  /** A small one to begin with. */
  manifest: string;
}

/** In the place of a list that has nothing yet: what would be in it, and how one makes it. */
export function EmptyList({ icon: Icon, kind, meaning, mayCreate, onNew, manifest }: EmptyProps) {
  return (
    <section className="mx-auto mt-10 grid max-w-md justify-items-center gap-4 text-center sm:mt-16">
      <span className="grid size-12 place-items-center rounded-xl border border-line bg-surface">
        <Icon className="size-5 text-accent-text" aria-hidden />
      </span>
      <div>
        <h2 className="text-base font-semibold">No {kind}s yet</h2>
        <p className="mt-1 text-soft">{meaning}</p>
      </div>
      {mayCreate ? (
        <NewButton kind={kind} onClick={onNew} />
      ) : (
        <p className="text-sm text-soft">You may not create one here; ask for the role that edits {kind}s in this namespace.</p>
      )}
      <div className="w-full min-w-0">
        <p className="mb-1.5 text-xs text-faint">or the same with kubectl apply</p>
        <CodeBlock label="manifest" text={manifest} />
      </div>
    </section>
  );
}
