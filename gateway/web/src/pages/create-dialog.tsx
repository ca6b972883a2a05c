import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { api } from "../api/client";
import { SESSIONS, upsert } from "../api/live";
import type { NewSession, Session } from "../api/types";
import { ChoiceCards } from "../components/choice-cards";
import { CheckField, FieldRow, MoreFields, SelectField, TextField } from "../components/field";
import { draftsOf } from "../form/draft";
import { useDraft } from "../form/use-draft";
import { useAuth } from "../layout/auth";
import { manifest } from "../session/manifest";
import { EMPTY_DRAFT, IDLE_CHOICES, PLACES, PRESETS, specOf, validate, type Draft } from "../session/validation";
import { ChatFields } from "./create-chat-fields";
import { DraftDialog } from "./draft-dialog";
import { RepositoryField } from "./repository-field";

/** What each is for, in plain words. */
const MODES = [
  { value: "Terminal", label: "Terminal", hint: "You work: a shell in a workspace that stays yours." },
  { value: "Chat", label: "Chat", hint: "You and an agent: it works a work item step by step and asks you; the terminal is beside it." },
];

const SIZES = PRESETS.map(({ id, label, hint }) => ({ value: id, label, hint }));

const drafts = draftsOf("fabrica-new-session", EMPTY_DRAFT);

/** Creates a session. */
export function CreateDialog({ namespace, onClose }: { namespace: string | undefined; onClose: () => void }) {
  const { me } = useAuth();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const allowed = me.namespaces.filter((each) => each.createSessions).map((each) => each.name);
  const form = useDraft({
    drafts,
    begin: (): Draft => {
      const kept = drafts.load(allowed, namespace ?? me.defaultNamespace ?? undefined);
      return me.chatEnabled ? kept : { ...kept, mode: "Terminal", agent: false };
    },
    validate,
    places: PLACES,
    create: (draft) => api.create(draft.namespace, body(draft)),
    onCreated: (session) => {
      queries.setQueryData<Session[]>(SESSIONS, (all) => upsert(all ?? [], session));
      void navigate(`/ns/${session.namespace}/sessions/${session.name}`);
    },
  });
  const { draft, errors, change, leave, wire } = form;

  return (
    <DraftDialog
      title="New session"
      description="A workspace in a pod that survives disconnects"
      act="Create session"
      sending={form.sending}
      manifest={() => manifest({ namespace: draft.namespace, name: draft.name === "" ? "session" : draft.name, spec: specOf(draft) })}
      onClose={onClose}
    >
      {me.chatEnabled && <ChoiceCards label="Mode" name="mode" columns="sm:grid-cols-2" choices={MODES} value={draft.mode} error={errors.mode} onChange={(value) => change({ mode: value === "Chat" ? "Chat" : "Terminal" })} />}
      <FieldRow>
        <TextField label="Name" placeholder="made for you when empty" autoFocus {...wire("name")} />
        <SelectField label="Namespace" {...wire("namespace")}>
          {allowed.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </SelectField>
      </FieldRow>
      <FieldRow>
        <RepositoryField
          value={draft.url}
          error={errors.url}
          hint="Cloned into /workspace/repo"
          onChange={(url) => change({ url })}
          onPick={(url, forge) => change({ url, forge })}
          onLeave={() => leave("url")}
        />
        <TextField label="Branch" placeholder="the default one" hint="Created when it does not exist" {...wire("branch")} />
      </FieldRow>
      {draft.mode === "Chat" && <ChatFields form={form} defaultBudget={me.defaultBudgetUSD} />}
      {me.chatEnabled && draft.mode === "Terminal" && (
        <CheckField
          label="With an agent to talk to"
          hint="It works in the repository, beside your shells; start and stop it at any time"
          checked={draft.agent}
          onChange={(agent) => change({ agent })}
        />
      )}
      <ChoiceCards label="Size" name="size" columns="grid-cols-2 sm:grid-cols-4" choices={SIZES} value={draft.resources} error={errors.resources} onChange={(resources) => change({ resources })} />
      <CheckField
        label="Keep the files on a volume"
        hint="Without one they are gone whenever the pod stops"
        checked={draft.volume}
        onChange={(volume) => change(volume ? { volume } : { volume, idle: "0" })}
      />
      {draft.volume && (
        <FieldRow>
          <TextField label="Volume size" {...wire("size")} />
          <SelectField label="Stop when idle" {...wire("idle")}>
            {IDLE_CHOICES.map(({ seconds, label }) => (
              <option key={seconds} value={seconds}>
                {label}
              </option>
            ))}
          </SelectField>
        </FieldRow>
      )}
      <MoreFields>
        <TextField label="Image" placeholder="the cluster's default" hint="Any image with a shell; it needs git when there is a repository" code {...wire("image")} />
        <FieldRow>
          <TextField label="Repository Secret" placeholder="none" hint="Holds token, or username and password" {...wire("secret")} />
          {draft.volume && <TextField label="Storage class" placeholder="the cluster's default" {...wire("storageClass")} />}
        </FieldRow>
        {draft.volume && (
          <CheckField label="Keep the volume when the session is deleted" hint="A later session of the same name takes it over" checked={draft.retain} onChange={(retain) => change({ retain })} />
        )}
      </MoreFields>
    </DraftDialog>
  );
}

function body(draft: Draft): NewSession {
  const spec = specOf(draft);
  return draft.name === "" ? { generateName: "session-", spec } : { name: draft.name, spec };
}
