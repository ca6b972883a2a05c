import { Archive, ArrowLeft, Ban, Ellipsis, RotateCcw } from "lucide-react";
import { useState, type ReactNode } from "react";
import { Link, useNavigate, useParams, useSearchParams } from "react-router";
import { useRun } from "../api/runs";
import type { Run } from "../api/types";
import { Button, buttonLook, IconButton } from "../components/button";
import { LazyEditor } from "../components/lazy-editor";
import { Menu } from "../components/menu";
import { dollars } from "../components/money";
import { Panel } from "../components/panel";
import { RunBadge } from "../components/state-badge";
import { Duration } from "../components/time";
import { useTitle } from "../layout/waiting";
import { pullRequestOf } from "../run/cost";
import { questionOf } from "../run/question";
import { branchOf, hasEnded, headline, stateOf, titleOf, verdict } from "../run/state";
import { RunActions, type RunAction } from "./run-actions";
import { QuestionCard } from "./run-question";
import { Facts, RunMenuItems } from "./run-row";
import { Timeline } from "./run-timeline";
import { Cost, Work } from "./run-work";

export default function RunPage() {
  const { namespace = "", name = "" } = useParams();
  const [params] = useSearchParams();
  const { run, known, error } = useRun(namespace, name, params.get("uid") ?? undefined);
  useTitle(name);

  if (run !== undefined) return <Report key={run.uid} run={run} />;
  if (!known && error === null) return <p role="status" className="p-4 text-soft">Looking for {name}…</p>;
  return (
    <section className="grid h-full place-content-center justify-items-center gap-3 p-6 text-center">
      <h1 className="text-base font-semibold">{known ? `There is no run ${name} in ${namespace}` : "The run cannot be shown now"}</h1>
      <p className="max-w-sm text-soft">{known ? "It was deleted, or you may not see it." : error?.message}</p>
      <Link to="/runs" className={buttonLook()}>
        All runs
      </Link>
    </section>
  );
}

function Report({ run }: { run: Run }) {
  const navigate = useNavigate();
  const [action, setAction] = useState<RunAction>();
  const asked = questionOf(run);
  return (
    <div className="mx-auto grid max-w-6xl gap-5 px-4 py-5 sm:px-6 lg:px-8">
      <header className="grid gap-2">
        <div className="flex min-w-0 items-center gap-2">
          <Link to="/runs" aria-label="All runs" title="All runs" className="-ml-1.5 inline-flex size-7 shrink-0 items-center justify-center rounded-md text-soft hover:bg-hover hover:text-ink pointer-coarse:size-11">
            <ArrowLeft className="size-4" aria-hidden />
          </Link>
          <h1 className="min-w-0 flex-1 truncate text-lg font-semibold tracking-tight" title={titleOf(run)}>
            {titleOf(run)}
          </h1>
          {run.archived !== true && <MainAction run={run} onAct={setAction} />}
          <Menu
            trigger={
              <IconButton label="Run menu">
                <Ellipsis className="size-4" aria-hidden />
              </IconButton>
            }
          >
            <RunMenuItems run={run} onAct={setAction} />
          </Menu>
        </div>
        <Facts run={run}>
          <span>
            {run.namespace}/{run.name}
          </span>
        </Facts>
      </header>
      {run.archived === true && <ArchiveNotice />}
      {asked === undefined ? <Headline run={run} /> : <QuestionCard run={run} asked={asked} />}
      <div className="grid min-w-0 gap-5 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <div className="grid min-w-0 content-start gap-5">
          <Timeline run={run} />
          <Plan run={run} />
        </div>
        <div className="grid min-w-0 content-start gap-5">
          <Result run={run} />
          <Work run={run} />
          <Cost run={run} />
          <Attempts run={run} />
        </div>
      </div>
      {action !== undefined && <RunActions run={run} action={action} onClose={() => setAction(undefined)} onDeleted={() => void navigate("/runs")} />}
    </div>
  );
}

/** What one most likely wants to do. */
function MainAction({ run, onAct }: { run: Run; onAct: (action: RunAction) => void }) {
  return hasEnded(run) ? (
    <Button onClick={() => onAct("retry")}>
      <RotateCcw className="size-4" aria-hidden /> Retry
    </Button>
  ) : (
    <Button disabled={stateOf(run) === "cancelling"} onClick={() => onAct("cancel")}>
      <Ban className="size-4" aria-hidden /> Cancel
    </Button>
  );
}

function ArchiveNotice() {
  return (
    <p role="note" className="flex items-start gap-2 rounded-xl border border-edge bg-surface px-4 py-3 text-sm">
      <Archive className="mt-0.5 size-4 shrink-0 text-soft" aria-hidden />
      This run was deleted from the cluster. You see what the archive keeps of it; nothing can be done with it any more.
    </p>
  );
}

/** The reason is the headline: the state, the condition's word for it and its sentence. */
function Headline({ run }: { run: Run }) {
  const bad = stateOf(run) === "failed";
  const reason = verdict(run)?.reason;
  return (
    <section aria-label="State" role={bad ? "alert" : "status"} className={`flex flex-wrap items-start gap-x-3 gap-y-1 rounded-xl border px-4 py-3 ${bad ? "border-bad/40 bg-bad-soft" : "border-line bg-surface"}`}>
      <RunBadge run={run} />
      <div className="min-w-0 flex-1 basis-56">
        <p className={`break-words ${bad ? "text-bad" : ""}`}>{headline(run)}</p>
        {reason !== undefined && hasEnded(run) && <p className="text-xs text-soft">Reason: {reason}</p>}
      </div>
    </section>
  );
}

function Plan({ run }: { run: Run }) {
  const { plan, planRef, workId } = run.spec;
  if (workId !== undefined) {
    return (
      <Panel title="Work item">
        <p className="px-4 pb-4 text-soft">
          The issue <code className="font-mono text-xs">{workId}</code> of the repository’s forge says what to do.
        </p>
      </Panel>
    );
  }
  return (
    <Panel title="Plan">
      <div className="px-4 pb-4">
        {plan === undefined ? (
          <p className="text-soft">
            It is the key <code className="font-mono text-xs">{planRef?.key}</code> of the ConfigMap <code className="font-mono text-xs">{planRef?.name}</code>.
          </p>
        ) : (
          <LazyEditor label="Plan, read only" value={plan} className="max-h-[60dvh] min-h-24 [&_.cm-editor]:max-h-[60dvh]" />
        )}
      </div>
    </Panel>
  );
}

function Result({ run }: { run: Run }) {
  const { commit } = run.status ?? {};
  const { repository } = run.spec;
  const pullRequest = pullRequestOf(run);
  const facts: [string, ReactNode][] = [
    ["Repository", repository.url],
    ["Begins from", repository.branch ?? "the default branch"],
    ["Branch", branchOf(run) ?? "not known yet"],
    ["Commit", commit ?? (hasEnded(run) ? "none was pushed" : "not pushed yet")],
    ...(pullRequest === undefined ? [] : [["Pull request", <PullRequest key="link" url={pullRequest} />] satisfies [string, ReactNode]]),
  ];
  return (
    <Panel title="Result">
      <dl className="grid gap-2 px-4 pb-4 text-sm">
        {facts.map(([name, value]) => (
          <div key={name} className="min-w-0">
            <dt className="text-xs text-faint">{name}</dt>
            <dd className="font-mono text-xs tracking-tight break-all">{value}</dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}

function PullRequest({ url }: { url: string }) {
  return (
    <a href={url} target="_blank" rel="noreferrer" className="text-accent-text underline underline-offset-2">
      {url.replace(/^https?:\/\//, "")}
    </a>
  );
}

function Attempts({ run }: { run: Run }) {
  const attempts = run.status?.attempts ?? [];
  return (
    <Panel title="Attempts" aside={`at most ${run.spec.maxAttempts ?? 2} failures of the plan`}>
      {attempts.length === 0 ? (
        <p className="px-4 pb-4 text-soft">None yet.</p>
      ) : (
        <ol className="divide-y divide-line pb-1">
          {attempts.map(({ number, podName, startedAt, finishedAt, cause, usage }) => (
            <li key={number} className="grid gap-0.5 px-4 py-2 text-sm">
              <span className="flex items-baseline gap-2">
                <span className="font-medium">Attempt {number}</span>
                <span className="min-w-0 flex-1 truncate text-soft">{cause ?? (finishedAt === undefined ? "going on" : "ended")}</span>
                {usage !== undefined && <span className="numbers text-xs text-faint">{dollars(usage.estimatedCostUSD)}</span>}
                {startedAt !== undefined && (
                  <span className="text-xs text-faint">
                    <Duration from={startedAt} to={finishedAt} />
                  </span>
                )}
              </span>
              <span className="truncate font-mono text-xs text-faint" title={podName}>
                {podName}
              </span>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}
