import { Archive, Ban, FileCode, GitPullRequest, RotateCcw, Trash2, User } from "lucide-react";
import { memo, type ReactNode } from "react";
import { useUnseen } from "../api/read-marks";
import type { Run } from "../api/types";
import { CopyCommandItem } from "../components/copy-command-item";
import { RepositoryFact, RowLink, RowMenu } from "../components/list-row";
import { MenuItem, MenuLine } from "../components/menu";
import { dollars } from "../components/money";
import { RunBadge } from "../components/state-badge";
import { Duration, Time } from "../components/time";
import { pullRequestOf } from "../run/cost";
import { kubectlCommand } from "../run/manifest";
import { questionOf } from "../run/question";
import { addressOf, branchOf, hasEnded, headline, stateOf, titleOf, type StateName } from "../run/state";
import type { RunAction } from "./run-actions";

interface RowProps {
  run: Run;
  withNamespace: boolean;
  onAct: (run: Run, action: RunAction) => void;
}

/** Headlines that want to be read first. */
const HEADLINES: Partial<Record<StateName, string>> = { failed: "text-bad", escalated: "font-medium" };

/** Drawn again only when its own run has changed: a busy cluster changes a few of many. */
export const RunRow = memo(function RunRow({ run, withNamespace, onAct }: RowProps) {
  const asked = questionOf(run);
  const unseen = useUnseen(run, asked?.answer === undefined ? asked?.question.id : undefined);
  return (
    <li className={`group relative flex items-start gap-x-3 gap-y-1 px-4 py-3 transition-colors first:rounded-t-xl last:rounded-b-xl hover:bg-hover/50 sm:items-center ${stateOf(run) === "escalated" ? "bg-accent-soft" : ""}`}>
      <div className="grid min-w-0 flex-1 gap-y-1 sm:grid-cols-[8.75rem_minmax(0,1fr)] sm:gap-x-3">
        <div className="flex items-center gap-2 sm:self-center">
          <RunBadge run={run} />
          {unseen && <span role="img" aria-label="Nobody has seen the question yet" title="Nobody has seen the question yet" className="relative size-2 shrink-0 rounded-full bg-accent-text" />}
        </div>
        <div className="min-w-0">
          <div className="flex min-w-0 flex-wrap items-baseline gap-x-2">
            <RowLink to={addressOf(run)}>{titleOf(run)}</RowLink>
            <span className="truncate text-xs text-faint">{withNamespace ? `${run.namespace}/${run.name}` : run.name}</span>
            {run.archived === true && <span className="inline-flex items-center gap-1 text-xs text-soft"><Archive className="size-3" aria-hidden /> Deleted, in the archive</span>}
          </div>
          <p className={`mt-0.5 line-clamp-2 text-sm break-words ${HEADLINES[stateOf(run)] ?? "text-soft"}`}>{headline(run)}</p>
          <Facts run={run} />
        </div>
      </div>
      <RowMenu name={run.name}>
        <RunMenuItems run={run} onAct={(action) => onAct(run, action)} />
      </RowMenu>
    </li>
  );
});

/** Where it works, whose it is and how long it took. */
export function Facts({ run, children }: { run: Run; children?: ReactNode }) {
  const { startedAt, finishedAt, usage } = run.status ?? {};
  const pullRequest = pullRequestOf(run);
  return (
    <p className="mt-0.5 flex min-w-0 flex-wrap items-center gap-x-3 gap-y-0.5 text-xs text-faint">
      <RepositoryFact url={run.spec.repository.url} branch={branchOf(run)} />
      {run.spec.owner !== undefined && (
        <span className="flex min-w-0 items-center gap-1" title={`Owner: ${run.spec.owner}`}>
          <User className="size-3 shrink-0" aria-hidden />
          <span className="truncate">{run.spec.owner.split(":").at(-1)}</span>
        </span>
      )}
      {usage !== undefined && <span className="numbers">{dollars(usage.estimatedCostUSD)}</span>}
      {pullRequest !== undefined && (
        <a href={pullRequest} target="_blank" rel="noreferrer" className="relative z-1 inline-flex items-center gap-1 text-accent-text underline-offset-2 hover:underline pointer-coarse:py-3">
          <GitPullRequest className="size-3 shrink-0" aria-hidden /> Pull request
        </a>
      )}
      {startedAt !== undefined && (
        <span>
          {finishedAt === undefined ? "for " : "took "}
          <Duration from={startedAt} to={finishedAt} />
        </span>
      )}
      <span>
        created <Time at={run.createdAt} />
      </span>
      {children}
    </p>
  );
}

/** What one can do to a run; the same in the list and on its page. */
export function RunMenuItems({ run, onAct }: { run: Run; onAct: (action: RunAction) => void }) {
  const yaml = (
    <MenuItem icon={FileCode} onSelect={() => onAct("yaml")}>
      Show YAML
    </MenuItem>
  );
  // Nothing can be done with what the cluster has no more.
  if (run.archived === true) return yaml;
  return (
    <>
      {hasEnded(run) ? (
        <MenuItem icon={RotateCcw} onSelect={() => onAct("retry")}>
          Retry…
        </MenuItem>
      ) : (
        <MenuItem icon={Ban} disabled={stateOf(run) === "cancelling"} onSelect={() => onAct("cancel")}>
          Cancel…
        </MenuItem>
      )}
      <MenuLine />
      {yaml}
      <CopyCommandItem command={kubectlCommand(run)} />
      <MenuLine />
      <MenuItem icon={Trash2} danger onSelect={() => onAct("delete")}>
        Delete…
      </MenuItem>
    </>
  );
}
