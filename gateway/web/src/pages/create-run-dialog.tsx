import { useMutation } from "@tanstack/react-query";
import { ChevronDown, FileCode, FileUp } from "lucide-react";
import { useEffect, useRef, useState, type DragEvent, type SubmitEvent } from "react";
import { useNavigate } from "react-router";
import { api, ApiError } from "../api/client";
import { useTakeRun } from "../api/runs";
import type { NewRun } from "../api/types";
import { Button } from "../components/button";
import { CodeBlock } from "../components/code";
import { Dialog, DialogBody, DialogFoot } from "../components/dialog";
import { CheckField, FieldRow, SelectField, TextField } from "../components/field";
import { LazyEditor } from "../components/lazy-editor";
import { budgetPlaceholder, FORGES } from "../form/agent";
import { draftsOf } from "../form/draft";
import { placeErrors } from "../form/errors";
import { useAuth } from "../layout/auth";
import { manifest } from "../run/manifest";
import { firstHeading, hasFrontMatter, readPlanFile } from "../run/plan-file";
import { ATTEMPT_CHOICES, DEADLINE_CHOICES, DRIVERS, EMPTY_DRAFT, PLACES, specOf, validate, type Draft, type DraftErrors, type DraftField } from "../run/validation";
import { toYaml } from "../session/manifest";
import { RepositoryField } from "./repository-field";
import { WorkItemField } from "./work-item-field";

const drafts = draftsOf("fabrica-new-run", EMPTY_DRAFT);

/** The largest file that is read, as `POST /run` takes it. */
const FILE_BYTES = 1024 * 1024;

/** Creates a run from a plan that is typed, pasted or dropped. What was typed outlives errors, reloads and logins. */
export function CreateRunDialog({ namespace, onClose }: { namespace: string | undefined; onClose: () => void }) {
  const { me } = useAuth();
  const take = useTakeRun();
  const navigate = useNavigate();
  const form = useRef<HTMLFormElement>(null);
  const allowed = me.namespaces.filter((each) => each.createRuns).map((each) => each.name);
  const [draft, setDraft] = useState<Draft>(() => drafts.load(allowed, namespace ?? me.defaultNamespace ?? undefined));
  const [touched, setTouched] = useState<ReadonlySet<DraftField>>(new Set());
  const [refused, setRefused] = useState<{ fields: DraftErrors; rest: string[] }>({ fields: {}, rest: [] });
  const [mistakes, setMistakes] = useState<string[]>([]);
  const [yaml, setYaml] = useState<string>();

  const own = validate(draft);
  const errors: DraftErrors = { ...refused.fields };
  for (const field of touched) if (own[field] !== undefined) errors[field] = own[field];

  const create = useMutation({
    mutationFn: () => api.createRun(draft.namespace, body(draft)),
    onSuccess: (run) => {
      drafts.clear();
      take(run);
      void navigate(`/ns/${run.namespace}/runs/${run.name}`);
    },
    onError: (error) => setRefused(error instanceof ApiError && error.fields.length > 0 ? placeErrors(PLACES, error.fields) : { fields: {}, rest: [error.message] }),
  });

  useEffect(() => drafts.save(draft), [draft]);

  const set = <F extends DraftField>(field: F, value: Draft[F]): void => {
    setDraft((old) => ({ ...old, [field]: value }));
    setRefused(({ fields, rest }) => ({ fields: Object.fromEntries(Object.entries(fields).filter(([name]) => name !== field)), rest }));
  };
  const leave = (field: DraftField): void => setTouched((old) => new Set(old).add(field));
  const wire = (field: Exclude<DraftField, "work" | "url" | "workId" | "pullRequestDraft">) => ({
    value: draft[field],
    error: errors[field],
    onChange: (event: { target: { value: string } }) => set(field, event.target.value),
    onBlur: () => leave(field),
  });
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (Object.keys(own).length === 0 && (mistakes.length === 0 || draft.work === "item")) return create.mutate();
    setTouched(new Set(Object.keys(own) as DraftField[]));
    requestAnimationFrame(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true], [data-invalid=true] .cm-content")?.focus());
  };
  /** Front matter goes into the fields it speaks of; the rest is the plan. */
  const unpack = async (text: string): Promise<void> => {
    const file = await readPlanFile(text);
    setMistakes(file.mistakes);
    if (file.mistakes.length > 0) {
      set("plan", text);
      return;
    }
    setDraft((old) => ({ ...old, ...file.fields, plan: file.plan }));
    setTouched((old) => new Set([...old, "plan", ...(Object.keys(file.fields) as DraftField[])]));
  };
  const read = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return;
    if (file.size > FILE_BYTES) setMistakes([`${file.name} is larger than 1 MiB.`]);
    else await unpack(await file.text());
  };
  const write = (plan: string): void => {
    set("plan", plan);
    // Front matter that was pasted or is being typed is read as it stands.
    if (hasFrontMatter(plan)) void readPlanFile(plan).then((file) => setMistakes(file.mistakes));
    else setMistakes([]);
  };

  if (yaml !== undefined) {
    return (
      <Dialog open onClose={() => setYaml(undefined)} title="The same as a manifest" description="For kubectl apply, or for Git" width="sm:max-w-3xl">
        <DialogBody>
          <CodeBlock label="YAML" text={yaml} />
        </DialogBody>
        <DialogFoot>
          <Button onClick={() => setYaml(undefined)}>Back to the form</Button>
        </DialogFoot>
      </Dialog>
    );
  }

  const preview = async (): Promise<void> => setYaml(await toYaml(manifest({ namespace: draft.namespace, name: draft.name === "" ? "run" : draft.name, spec: specOf(draft, firstHeading(draft.plan)) })));
  return (
    <Dialog open onClose={onClose} title="New run" description="A plan that is carried out on a branch of its own, without anybody watching" width="sm:max-w-3xl">
      <form ref={form} noValidate onSubmit={submit} className="flex min-h-0 flex-1 flex-col">
        <DialogBody>
          <div className="grid gap-4">
            <FieldRow>
              <RepositoryField
                value={draft.url}
                error={errors.url}
                onChange={(url) => set("url", url)}
                onPick={(url, forge) => {
                  set("url", url);
                  set("forge", forge);
                }}
                onLeave={() => leave("url")}
              />
              <TextField label="Begin from" placeholder="the default branch" {...wire("base")} />
            </FieldRow>
            <FieldRow>
              <SelectField label="Work" value={draft.work} onChange={(event) => set("work", event.target.value === "item" ? "item" : "plan")}>
                <option value="plan">A plan</option>
                <option value="item">A work item of the forge</option>
              </SelectField>
              <SelectField label="Forge" hint="Where the pull request is opened" value={draft.forge} error={errors.forge} onChange={(event) => set("forge", event.target.value)}>
                <option value="">told by the address</option>
                {FORGES.map((forge) => (
                  <option key={forge}>{forge}</option>
                ))}
              </SelectField>
            </FieldRow>
            {draft.work === "item" ? (
              <WorkItemField repository={draft.url} value={draft.workId} error={errors.workId} onChange={(workId) => set("workId", workId)} onLeave={() => leave("workId")} />
            ) : (
              <PlanField value={draft.plan} error={errors.plan} mistakes={mistakes} onChange={write} onFile={(file) => void read(file)} onUse={() => void unpack(draft.plan)} />
            )}
            <FieldRow>
              <TextField label="Title" placeholder={draft.work === "item" ? "the agent's own" : (firstHeading(draft.plan) ?? "the plan's first heading")} hint="The subject of the commit" {...wire("title")} />
              <SelectField label="Namespace" value={draft.namespace} error={errors.namespace} onChange={(event) => set("namespace", event.target.value)}>
                {allowed.map((name) => (
                  <option key={name}>{name}</option>
                ))}
              </SelectField>
            </FieldRow>
            <FieldRow>
              <SelectField label="Agent" value={draft.driver} error={errors.driver} onChange={(event) => set("driver", event.target.value)}>
                <option value="">the cluster's default</option>
                {DRIVERS.map((driver) => (
                  <option key={driver}>{driver}</option>
                ))}
              </SelectField>
              {draft.driver !== "Script" && <TextField label="Budget in USD" placeholder={budgetPlaceholder(me.defaultBudgetUSD)} inputMode="decimal" {...wire("budget")} />}
            </FieldRow>
            <details className="group">
              <summary className="flex h-8 w-fit cursor-pointer items-center gap-1 rounded text-sm font-medium text-soft hover:text-ink">
                <ChevronDown className="size-4 -rotate-90 transition-transform group-open:rotate-0" aria-hidden /> More
              </summary>
              <div className="mt-2 grid gap-4">
                <FieldRow>
                  <TextField label="Labels of the pull request" placeholder="none" hint="Between commas" {...wire("labels")} />
                  <CheckField label="Open as a draft" hint="The pull request is not yet to be merged" checked={draft.pullRequestDraft} onChange={(checked) => set("pullRequestDraft", checked)} />
                </FieldRow>
                {draft.driver !== "Script" && <TextField label="Model" placeholder="the cluster's default" code {...wire("model")} />}
                <FieldRow>
                  <TextField label="Push to" placeholder="fabrica/…" hint="A branch that is not there yet" {...wire("branch")} />
                  <TextField label="Repository Secret" placeholder="none" hint="Holds token, or username and password" {...wire("secret")} />
                </FieldRow>
                <FieldRow>
                  <SelectField label="Deadline" hint="The running time of all attempts together" value={draft.deadline} error={errors.deadline} onChange={(event) => set("deadline", event.target.value)}>
                    {DEADLINE_CHOICES.map(({ seconds, label }) => (
                      <option key={seconds} value={seconds}>
                        {label}
                      </option>
                    ))}
                  </SelectField>
                  <SelectField label="Attempts" hint="How often the plan may fail" value={draft.attempts} error={errors.attempts} onChange={(event) => set("attempts", event.target.value)}>
                    {ATTEMPT_CHOICES.map((count) => (
                      <option key={count}>{count}</option>
                    ))}
                  </SelectField>
                </FieldRow>
                <FieldRow>
                  <TextField label="Name" placeholder="made for you when empty" {...wire("name")} />
                  <TextField label="Image" placeholder="the cluster's default" code {...wire("image")} />
                </FieldRow>
              </div>
            </details>
            {refused.rest.map((message) => (
              <p key={message} role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-sm break-words text-bad">
                {message}
              </p>
            ))}
          </div>
        </DialogBody>
        <DialogFoot>
          <Button look="quiet" className="mr-auto" onClick={() => void preview()}>
            <FileCode className="size-4" aria-hidden /> <span className="sr-only sm:not-sr-only">Show YAML</span>
          </Button>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" disabled={create.isPending}>
            {create.isPending ? "Creating…" : "Start run"}
          </Button>
        </DialogFoot>
      </form>
    </Dialog>
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
