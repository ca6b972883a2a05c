import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { api } from "../api/client";
import { useTakeRun } from "../api/runs";
import type { Run } from "../api/types";
import { Button } from "../components/button";
import { CodeBlock } from "../components/code";
import { Confirm } from "../components/confirm";
import { Dialog, DialogBody, DialogFoot } from "../components/dialog";
import { LazyEditor } from "../components/lazy-editor";
import { useTell } from "../components/toast";
import { kubectlCommand, losses, manifest } from "../run/manifest";
import { branchOf } from "../run/state";
import { planMistake } from "../run/validation";
import { toYaml } from "../session/manifest";

export type RunAction = "cancel" | "retry" | "delete" | "yaml";

interface Props {
  run: Run;
  action: RunAction;
  onClose: () => void;
  onDeleted?: () => void;
}

export function RunActions({ run, action, onClose, onDeleted }: Props) {
  switch (action) {
    case "cancel":
      return <CancelDialog run={run} onClose={onClose} />;
    case "retry":
      return <RetryDialog run={run} onClose={onClose} />;
    case "delete":
      return <DeleteDialog run={run} onClose={onClose} onDeleted={onDeleted} />;
    case "yaml":
      return <YamlDialog run={run} onClose={onClose} />;
  }
}

function CancelDialog({ run, onClose }: { run: Run; onClose: () => void }) {
  const take = useTakeRun();
  const cancel = useMutation({
    mutationFn: () => api.cancelRun(run),
    onSuccess: (changed) => {
      take(changed);
      onClose();
    },
  });
  return (
    <Confirm
      title={`Cancel ${run.name}?`}
      description="It ends for good; a retry is a new run."
      stay="Let it go on"
      act={cancel.isPending ? "Cancelling…" : "Cancel run"}
      busy={cancel.isPending}
      error={cancel.error}
      onAct={() => cancel.mutate()}
      onClose={onClose}
    >
      <p className="text-soft">What is not pushed yet is lost with its pod.</p>
    </Confirm>
  );
}

function DeleteDialog({ run, onClose, onDeleted }: { run: Run; onClose: () => void; onDeleted: (() => void) | undefined }) {
  const tell = useTell();
  const remove = useMutation({
    mutationFn: () => api.removeRun(run),
    onSuccess: () => {
      tell(`${run.name} is being deleted`);
      onClose();
      onDeleted?.();
    },
  });
  const branch = run.status?.commit === undefined ? undefined : branchOf(run);
  return (
    <Confirm
      title={`Delete ${run.name}?`}
      description="This cannot be undone. It takes with it:"
      stay="Cancel"
      act={remove.isPending ? "Deleting…" : "Delete run"}
      busy={remove.isPending}
      error={remove.error}
      onAct={() => remove.mutate()}
      onClose={onClose}
    >
      <ul className="list-disc space-y-1 pl-5">
        {losses(run).map((loss) => (
          <li key={loss}>{loss}</li>
        ))}
      </ul>
      {branch !== undefined && <p className="mt-3 text-sm text-soft">The branch {branch} stays in the repository.</p>}
    </Confirm>
  );
}

function RetryDialog({ run, onClose }: { run: Run; onClose: () => void }) {
  const take = useTakeRun();
  const navigate = useNavigate();
  const old = run.spec.plan ?? "";
  const [plan, setPlan] = useState(old);
  const same = plan === old;
  const mistake = same ? undefined : planMistake(plan);
  const retry = useMutation({
    mutationFn: () => api.retryRun(run, same ? undefined : plan),
    onSuccess: (made) => {
      take(made);
      onClose();
      void navigate(`/ns/${made.namespace}/runs/${made.name}`);
    },
  });
  const begins = run.status?.commit === undefined ? "It begins where this one began." : `It begins from the branch ${branchOf(run) ?? ""} that this one pushed.`;
  return (
    <Dialog open onClose={onClose} title={`Retry ${run.name}`} description={`A new run with this plan. ${begins}`} width="sm:max-w-2xl">
      <DialogBody>
        {run.spec.planRef !== undefined && same && (
          <p className="mb-2 text-sm text-soft">
            The plan is the key {run.spec.planRef.key} of the ConfigMap {run.spec.planRef.name}, as it is now. Write one here to use that instead.
          </p>
        )}
        {run.spec.workId !== undefined && same && <p className="mb-2 text-sm text-soft">The work item {run.spec.workId} says what to do. Write a plan here to use that instead.</p>}
        <LazyEditor label="Plan" value={plan} onChange={setPlan} invalid={mistake !== undefined} className="h-[45dvh]" />
        {(mistake !== undefined || retry.error !== null) && (
          <p role="alert" className="mt-2 text-sm break-words text-bad">
            {mistake ?? retry.error?.message}
          </p>
        )}
      </DialogBody>
      <DialogFoot>
        <Button onClick={onClose}>Cancel</Button>
        <Button look="primary" disabled={retry.isPending || mistake !== undefined} onClick={() => retry.mutate()}>
          {retry.isPending ? "Starting…" : same ? run.spec.workId === undefined ? "Retry the same plan" : "Retry the work item" : "Retry with this plan"}
        </Button>
      </DialogFoot>
    </Dialog>
  );
}

function YamlDialog({ run, onClose }: { run: Run; onClose: () => void }) {
  const yaml = useQuery({ queryKey: ["yaml", run.uid, run.resourceVersion], queryFn: () => toYaml(manifest(run)), staleTime: Number.POSITIVE_INFINITY });
  return (
    <Dialog open onClose={onClose} title={run.name} description="The manifest as it would stand in Git" width="sm:max-w-2xl">
      <DialogBody>
        <div className="grid gap-3">
          <CodeBlock label="YAML" text={yaml.data ?? "…"} />
          {run.archived !== true && <CodeBlock label="kubectl command" text={kubectlCommand(run)} />}
        </div>
      </DialogBody>
    </Dialog>
  );
}
