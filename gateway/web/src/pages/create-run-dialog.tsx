import { FileUp } from "lucide-react";
import { useRef, useState, type DragEvent } from "react";
import { useNavigate } from "react-router";
import { api } from "../api/client";
import { useTakeRun } from "../api/runs";
import type { NewRun } from "../api/types";
import { Button } from "../components/button";
import { CheckField, FieldRow, MoreFields, SelectField, TextField } from "../components/field";
import { LazyEditor } from "../components/lazy-editor";
import { budgetPlaceholder, FORGES } from "../form/agent";
import { draftsOf } from "../form/draft";
import { useDraft } from "../form/use-draft";
import { useAuth } from "../layout/auth";
import { manifest } from "../run/manifest";
import { firstHeading, hasFrontMatter, readPlanFile } from "../run/plan-file";
import { ATTEMPT_CHOICES, DEADLINE_CHOICES, DRIVERS, EMPTY_DRAFT, PLACES, specOf, validate, type Draft, type DraftField } from "../run/validation";
import { DraftDialog } from "./draft-dialog";
import { RepositoryField } from "./repository-field";
import { WorkItemField } from "./work-item-field";

const drafts = draftsOf("fabrica-new-run", EMPTY_DRAFT);

/** The largest file that is read, as `POST /run` takes it. */
const FILE_BYTES = 1024 * 1024;

/** Creates a run from a plan that is typed, pasted or dropped. */
export function CreateRunDialog({ namespace, onClose }: { namespace: string | undefined; onClose: () => void }) {
  const { me } = useAuth();
  const take = useTakeRun();
  const navigate = useNavigate();
  const allowed = me.namespaces.filter((each) => each.createRuns).map((each) => each.name);
  const [mistakes, setMistakes] = useState<string[]>([]);
  const { draft, errors, change, leave, wire, sending } = useDraft({
    drafts,
    begin: () => drafts.load(allowed, namespace ?? me.defaultNamespace ?? undefined),
    validate,
    complete: ({ work }) => work === "item" || mistakes.length === 0,
    places: PLACES,
    create: (draft) => api.createRun(draft.namespace, body(draft)),
    onCreated: (run) => {
      take(run);
      void navigate(`/ns/${run.namespace}/runs/${run.name}`);
    },
  });

  /** Front matter goes into the fields it speaks of; the rest is the plan. */
  const unpack = async (text: string): Promise<void> => {
    const file = await readPlanFile(text);
    setMistakes(file.mistakes);
    if (file.mistakes.length > 0) {
      change({ plan: text });
      return;
    }
    change({ ...file.fields, plan: file.plan });
    leave("plan", ...(Object.keys(file.fields) as DraftField[]));
  };
  const read = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return;
    if (file.size > FILE_BYTES) setMistakes([`${file.name} is larger than 1 MiB.`]);
    else await unpack(await file.text());
  };
  const write = (plan: string): void => {
    change({ plan });
    // Front matter that was pasted or is being typed is read as it stands.
    if (hasFrontMatter(plan)) void readPlanFile(plan).then((file) => setMistakes(file.mistakes));
    else setMistakes([]);
  };

  return (
    <DraftDialog
      title="New run"
      description="A plan that is carried out on a branch of its own, without anybody watching"
      width="sm:max-w-3xl"
      act="Start run"
      sending={sending}
      manifest={() => manifest({ namespace: draft.namespace, name: draft.name === "" ? "run" : draft.name, spec: specOf(draft, firstHeading(draft.plan)) })}
      onClose={onClose}
    >
      <FieldRow>
        <RepositoryField
          value={draft.url}
          error={errors.url}
          onChange={(url) => change({ url })}
          onPick={(url, forge) => change({ url, forge })}
          onLeave={() => leave("url")}
        />
        <TextField label="Begin from" placeholder="the default branch" {...wire("base")} />
      </FieldRow>
      <FieldRow>
        <SelectField label="Work" value={draft.work} onChange={(event) => change({ work: event.target.value === "item" ? "item" : "plan" })}>
          <option value="plan">A plan</option>
          <option value="item">A work item of the forge</option>
        </SelectField>
        <SelectField label="Forge" hint="Where the pull request is opened" {...wire("forge")}>
          <option value="">told by the address</option>
          {FORGES.map((forge) => (
            <option key={forge}>{forge}</option>
          ))}
        </SelectField>
      </FieldRow>
      {draft.work === "item" ? (
        <WorkItemField repository={draft.url} value={draft.workId} error={errors.workId} onChange={(workId) => change({ workId })} onLeave={() => leave("workId")} />
      ) : (
        <PlanField value={draft.plan} error={errors.plan} mistakes={mistakes} onChange={write} onFile={(file) => void read(file)} onUse={() => void unpack(draft.plan)} />
      )}
      <FieldRow>
        <TextField label="Title" placeholder={draft.work === "item" ? "the agent's own" : (firstHeading(draft.plan) ?? "the plan's first heading")} hint="The subject of the commit" {...wire("title")} />
        <SelectField label="Namespace" {...wire("namespace")}>
          {allowed.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </SelectField>
      </FieldRow>
      <FieldRow>
        <SelectField label="Agent" {...wire("driver")}>
          <option value="">the cluster's default</option>
          {DRIVERS.map((driver) => (
            <option key={driver}>{driver}</option>
          ))}
        </SelectField>
        {draft.driver !== "Script" && <TextField label="Budget in USD" placeholder={budgetPlaceholder(me.defaultBudgetUSD)} inputMode="decimal" {...wire("budget")} />}
      </FieldRow>
      <MoreFields>
        <FieldRow>
          <TextField label="Labels of the pull request" placeholder="none" hint="Between commas" {...wire("labels")} />
          <CheckField label="Open as a draft" hint="The pull request is not yet to be merged" checked={draft.pullRequestDraft} onChange={(pullRequestDraft) => change({ pullRequestDraft })} />
        </FieldRow>
        {draft.driver !== "Script" && <TextField label="Model" placeholder="the cluster's default" code {...wire("model")} />}
        <FieldRow>
          <TextField label="Push to" placeholder="fabrica/…" hint="A branch that is not there yet" {...wire("branch")} />
          <TextField label="Repository Secret" placeholder="none" hint="Holds token, or username and password" {...wire("secret")} />
        </FieldRow>
        <FieldRow>
          <SelectField label="Deadline" hint="The running time of all attempts together" {...wire("deadline")}>
            {DEADLINE_CHOICES.map(({ seconds, label }) => (
              <option key={seconds} value={seconds}>
                {label}
              </option>
            ))}
          </SelectField>
          <SelectField label="Attempts" hint="How often the plan may fail" {...wire("attempts")}>
            {ATTEMPT_CHOICES.map((count) => (
              <option key={count}>{count}</option>
            ))}
          </SelectField>
        </FieldRow>
        <FieldRow>
          <TextField label="Name" placeholder="made for you when empty" {...wire("name")} />
          <TextField label="Image" placeholder="the cluster's default" code {...wire("image")} />
        </FieldRow>
      </MoreFields>
    </DraftDialog>
  );
}

function body(draft: Draft): NewRun {
  const spec = specOf(draft, firstHeading(draft.plan));
  return draft.name === "" ? { generateName: "run-", spec } : { name: draft.name, spec };
}

interface PlanProps {
  value: string;
  error: string | undefined;
  mistakes: string[];
  onChange: (plan: string) => void;
  onFile: (file: File | undefined) => void;
  onUse: () => void;
}

/** The editor, onto which a file can be dropped, and what is wrong with what is in it. */
function PlanField({ value, error, mistakes, onChange, onFile, onUse }: PlanProps) {
  const input = useRef<HTMLInputElement>(null);
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    event.stopPropagation();
    onFile(event.dataTransfer.files[0]);
  };
  const wrong = error === undefined ? mistakes : [error, ...mistakes];
  return (
    <section aria-label="Plan" onDragOver={(event) => event.preventDefault()} onDropCapture={(event) => event.dataTransfer.files.length > 0 && drop(event)}>
      <div className="mb-1 flex flex-wrap items-center gap-x-2">
        <h3 className="text-sm font-medium">Plan</h3>
        <p className="min-w-0 flex-1 text-xs text-faint">Markdown: what the agent does, or the sh blocks of a script. Drop an .md file here.</p>
        <Button look="quiet" onClick={() => input.current?.click()}>
          <FileUp className="size-4" aria-hidden /> Open file
        </Button>
        <input ref={input} type="file" accept=".md,text/markdown" aria-label="Plan file" tabIndex={-1} className="sr-only" onChange={(event) => onFile(event.target.files?.[0])} />
      </div>
      <LazyEditor label="Plan" value={value} onChange={onChange} invalid={wrong.length > 0} className="h-56" />
      {wrong.length > 0 && (
        <div role="alert" className="mt-1 grid gap-0.5 text-xs break-words text-bad">
          {wrong.map((each) => (
            <p key={each}>{each}</p>
          ))}
        </div>
      )}
      {wrong.length === 0 && hasFrontMatter(value) && (
        <p className="mt-1 flex flex-wrap items-center gap-2 text-xs text-soft">
          The plan begins with front matter.
          <Button onClick={onUse}>Move it into the fields</Button>
        </p>
      )}
    </section>
  );
}
