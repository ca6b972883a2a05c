// What every list of objects has: the filter by state, and what stands there before and instead of it.

import { Button } from "./button";

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
