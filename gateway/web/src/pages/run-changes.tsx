import { GitPullRequest } from "lucide-react";
import { useState } from "react";
import { holds } from "../components/find";
import { Marked } from "../components/marked";
import type { Changes } from "../run/timeline";

/** What is pushed, file by file, folded to its totals. */
export function ChangesEntry({ changes: { files, more, added, removed }, needle, pullRequest }: { changes: Changes; needle: string; pullRequest: string | undefined }) {
  const count = files.length + more;
  const [chosen, setChosen] = useState<boolean>();
  const open = chosen ?? files.some(({ path }) => holds(path, needle));
  return (
    <div className="flex flex-wrap items-start gap-x-4 gap-y-1">
      <details open={open} onToggle={(event) => event.currentTarget.open !== open && setChosen(event.currentTarget.open)} className="min-w-0 flex-1 basis-48">
        <summary className="w-fit cursor-pointer rounded font-medium pointer-coarse:-my-3 pointer-coarse:py-3">
          {count === 1 ? "1 file" : `${count.toLocaleString("en-GB")} files`} changed <Lines added={added} removed={removed} />
        </summary>
        <table className="mt-1.5 w-full text-xs">
          <thead className="sr-only">
            <tr>
              <th>File</th>
              <th>Lines</th>
            </tr>
          </thead>
          <tbody className="divide-y divide-line">
            {files.map(({ path, added: plus, removed: minus, binary }, at) => (
              <tr key={at}>
                <td className="py-1 pr-3 font-mono wrap-anywhere">
                  <Marked text={path} needle={needle} />
                </td>
                <td className="py-1 text-right whitespace-nowrap">{binary ? <span className="text-soft">binary</span> : <Lines added={plus} removed={minus} />}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {more > 0 && <p className="mt-1 text-xs text-soft">and {more.toLocaleString("en-GB")} more, which the pull request shows.</p>}
      </details>
      {pullRequest !== undefined && (
        <a href={pullRequest} target="_blank" rel="noreferrer" className="inline-flex items-center gap-1 text-accent-text underline-offset-2 hover:underline pointer-coarse:-my-3 pointer-coarse:py-3">
          <GitPullRequest className="size-3.5 shrink-0" aria-hidden /> Pull request
        </a>
      )}
    </div>
  );
}

function Lines({ added, removed }: { added: number; removed: number }) {
  return (
    <span className="numbers font-normal">
      <span className="text-good">+{added.toLocaleString("en-GB")}</span> <span className="text-bad">−{removed.toLocaleString("en-GB")}</span>
      <span className="sr-only"> lines</span>
    </span>
  );
}
