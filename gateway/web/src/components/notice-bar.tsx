import type { ReactNode } from "react";

/** A line under what one works with, when there is something to decide. */
export function NoticeBar({ text, children }: { text: string; children?: ReactNode }) {
  return (
    <div role="status" className="flex min-h-11 flex-wrap items-center gap-x-3 gap-y-2 border-t border-line bg-surface px-3 py-1.5 text-sm">
      <p className="min-w-0 flex-1 basis-56 break-words">{text}</p>
      {children}
    </div>
  );
}
