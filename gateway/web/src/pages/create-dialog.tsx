import { useMutation, useQueryClient } from "@tanstack/react-query";
import { ChevronDown, FileCode } from "lucide-react";
import { useEffect, useRef, useState, type SubmitEvent } from "react";
import { useNavigate } from "react-router";
import { api, ApiError } from "../api/client";
import { SESSIONS, upsert } from "../api/live";
import type { NewSession, Session } from "../api/types";
import { Button } from "../components/button";
import { CodeBlock } from "../components/code";
import { Dialog, DialogBody, DialogFoot } from "../components/dialog";
import { ChoiceCards } from "../components/choice-cards";
import { CheckField, FieldRow as Row, SelectField, TextField } from "../components/field";
import { useAuth } from "../layout/auth";
import { manifest, toYaml } from "../session/manifest";
import { draftsOf } from "../form/draft";
import { placeErrors } from "../form/errors";
import { EMPTY_DRAFT, IDLE_CHOICES, PLACES, PRESETS, specOf, validate, type Draft, type DraftErrors, type DraftField } from "../session/validation";
import { ChatFields } from "./create-chat-fields";
import { RepositoryField } from "./repository-field";

/** What each is for, in plain words. */
const MODES = [
  { value: "Terminal", label: "Terminal", hint: "You work: a shell in a workspace that stays yours." },
  { value: "Chat", label: "Chat", hint: "You and an agent: it works a work item step by step and asks you; the terminal is beside it." },
];

const SIZES = PRESETS.map(({ id, label, hint }) => ({ value: id, label, hint }));

const drafts = draftsOf("fabrica-new-session", EMPTY_DRAFT);

/** Creates a session. What was typed outlives errors, reloads and the end of a login. */
export function CreateDialog({ namespace, onClose }: { namespace: string | undefined; onClose: () => void }) {
  const { me } = useAuth();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const form = useRef<HTMLFormElement>(null);
  const allowed = me.namespaces.filter((each) => each.createSessions).map((each) => each.name);
  const [draft, setDraft] = useState<Draft>(() => {
    const kept = drafts.load(allowed, namespace ?? me.defaultNamespace ?? undefined);
    return me.chatEnabled ? kept : { ...kept, mode: "Terminal", agent: false };
  });
  const [touched, setTouched] = useState<ReadonlySet<DraftField>>(new Set());
  const [refused, setRefused] = useState<{ fields: DraftErrors; rest: string[] }>({ fields: {}, rest: [] });
  const [yaml, setYaml] = useState<string>();

  const own = validate(draft);
  const errors: DraftErrors = { ...refused.fields };
  for (const field of touched) if (own[field] !== undefined) errors[field] = own[field];

  const create = useMutation({
    mutationFn: () => api.create(draft.namespace, body(draft)),
    onSuccess: (session) => {
      drafts.clear();
      queries.setQueryData<Session[]>(SESSIONS, (all) => upsert(all ?? [], session));
      void navigate(`/ns/${session.namespace}/sessions/${session.name}`);
    },
    onError: (error) => setRefused(error instanceof ApiError && error.fields.length > 0 ? placeErrors(PLACES, error.fields) : { fields: {}, rest: [error.message] }),
  });

  useEffect(() => drafts.save(draft), [draft]);
  useEffect(() => {
    if (Object.keys(refused.fields).length > 0) form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [refused]);

  const set = <F extends DraftField>(field: F, value: Draft[F]): void => {
    setDraft((old) => ({ ...old, [field]: value }));
    setRefused(({ fields, rest }) => ({ fields: Object.fromEntries(Object.entries(fields).filter(([name]) => name !== field)), rest }));
  };
  const leave = (field: DraftField): void => setTouched((old) => new Set(old).add(field));
  const wire = (field: "name" | "branch" | "secret" | "image" | "size" | "storageClass") => ({
    value: draft[field],
    error: errors[field],
    onChange: (event: { target: { value: string } }) => set(field, event.target.value),
    onBlur: () => leave(field),
  });
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (Object.keys(own).length === 0) return create.mutate();
    setTouched(new Set(Object.keys(own) as DraftField[]));
    requestAnimationFrame(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
  };
  const preview = async (): Promise<void> => {
    setYaml(await toYaml(manifest({ namespace: draft.namespace, name: draft.name === "" ? "session" : draft.name, spec: specOf(draft) })));
  };

  if (yaml !== undefined) {
    return (
      <Dialog open onClose={() => setYaml(undefined)} title="The same as a manifest" description="For kubectl apply, or for Git">
        <DialogBody>
          <CodeBlock label="YAML" text={yaml} />
        </DialogBody>
        <DialogFoot>
          <Button onClick={() => setYaml(undefined)}>Back to the form</Button>
        </DialogFoot>
      </Dialog>
    );
  }

  return (
    <Dialog open onClose={onClose} title="New session" description="A workspace in a pod that survives disconnects">
      <form ref={form} noValidate onSubmit={submit} className="flex min-h-0 flex-1 flex-col">
        <DialogBody>
          <div className="grid gap-4">
            {me.chatEnabled && <ChoiceCards label="Mode" name="mode" columns="sm:grid-cols-2" choices={MODES} value={draft.mode} error={errors.mode} onChange={(value) => set("mode", value === "Chat" ? "Chat" : "Terminal")} />}
            <Row>
              <TextField label="Name" placeholder="made for you when empty" autoFocus {...wire("name")} />
              <SelectField label="Namespace" value={draft.namespace} error={errors.namespace} onChange={(event) => set("namespace", event.target.value)}>
                {allowed.map((name) => (
                  <option key={name}>{name}</option>
                ))}
              </SelectField>
            </Row>
            <Row>
              <RepositoryField
                value={draft.url}
                error={errors.url}
                hint="Cloned into /workspace/repo"
                onChange={(url) => set("url", url)}
                onPick={(url, forge) => {
                  set("url", url);
                  set("forge", forge);
                }}
                onLeave={() => leave("url")}
              />
              <TextField label="Branch" placeholder="the default one" hint="Created when it does not exist" {...wire("branch")} />
            </Row>
            {draft.mode === "Chat" && <ChatFields draft={draft} errors={errors} defaultBudget={me.defaultBudgetUSD} onChange={set} onLeave={leave} />}
            {me.chatEnabled && draft.mode === "Terminal" && (
              <CheckField
                label="With an agent to talk to"
                hint="It works in the repository, beside your shells; start and stop it at any time"
                checked={draft.agent}
                onChange={(checked) => set("agent", checked)}
              />
            )}
            <ChoiceCards label="Size" name="size" columns="grid-cols-2 sm:grid-cols-4" choices={SIZES} value={draft.resources} error={errors.resources} onChange={(value) => set("resources", value)} />
            <CheckField
              label="Keep the files on a volume"
              hint="Without one they are gone whenever the pod stops"
              checked={draft.volume}
              onChange={(checked) => {
                set("volume", checked);
                if (!checked) set("idle", "0");
              }}
            />
            {draft.volume && (
              <Row>
                <TextField label="Volume size" {...wire("size")} />
                <SelectField label="Stop when idle" value={draft.idle} error={errors.idle} onChange={(event) => set("idle", event.target.value)}>
                  {IDLE_CHOICES.map(({ seconds, label }) => (
                    <option key={seconds} value={seconds}>
                      {label}
                    </option>
                  ))}
                </SelectField>
              </Row>
            )}
            <details className="group">
              <summary className="flex h-8 w-fit cursor-pointer items-center gap-1 rounded text-sm font-medium text-soft hover:text-ink">
                <ChevronDown className="size-4 -rotate-90 transition-transform group-open:rotate-0" aria-hidden /> More
              </summary>
              <div className="mt-2 grid gap-4">
                <TextField label="Image" placeholder="the cluster's default" hint="Any image with a shell; it needs git when there is a repository" code {...wire("image")} />
                <Row>
                  <TextField label="Repository Secret" placeholder="none" hint="Holds token, or username and password" {...wire("secret")} />
                  {draft.volume && <TextField label="Storage class" placeholder="the cluster's default" {...wire("storageClass")} />}
                </Row>
                {draft.volume && (
                  <CheckField label="Keep the volume when the session is deleted" hint="A later session of the same name takes it over" checked={draft.retain} onChange={(checked) => set("retain", checked)} />
                )}
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
            {create.isPending ? "Creating…" : "Create session"}
          </Button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}

function body(draft: Draft): NewSession {
  const spec = specOf(draft);
  return draft.name === "" ? { generateName: "session-", spec } : { name: draft.name, spec };
}
