import type { ReactNode } from "react";

/** A part of a page with a heading of its own. */
export function Panel({ title, aside, action, children }: { title: string; aside?: ReactNode; action?: ReactNode; children: ReactNode }) {
  return (
    <section aria-label={title} className="min-w-0 rounded-xl border border-line bg-surface">
      <div className="flex flex-wrap items-baseline gap-2 px-4 pt-3 pb-2">
        <h2 className="text-sm font-semibold">{title}</h2>
        {aside !== undefined && <span className="text-xs text-faint">{aside}</span>}
        {action !== undefined && <div className="-mt-1 ml-auto self-center">{action}</div>}
      </div>
      {children}
    </section>
  );
}
