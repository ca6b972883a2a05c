import { AUTONOMY } from "../chat/words";
import { ChoiceCards } from "../components/choice-cards";
import { FieldRow, SelectField, TextField } from "../components/field";
import { budgetPlaceholder, FORGES } from "../form/agent";
import type { Draft, DraftErrors, DraftField } from "../session/validation";
import { WorkItemField } from "./work-item-field";

interface Props {
  draft: Draft;
  errors: DraftErrors;
  /** What a model may cost when nothing is said. */
  defaultBudget: string | undefined;
  onChange: <F extends DraftField>(field: F, value: Draft[F]) => void;
  onLeave: (field: DraftField) => void;
}

/** What the agent does, and how far it may go. */
export function ChatFields({ draft, errors, defaultBudget, onChange, onLeave }: Props) {
  const wire = (field: "model" | "budget") => ({
    value: draft[field],
    error: errors[field],
    onChange: (event: { target: { value: string } }) => onChange(field, event.target.value),
    onBlur: () => onLeave(field),
  });
  const works = draft.workflow === "Faber";
  return (
    <>
      <FieldRow>
        <SelectField label="The agent" value={draft.workflow} error={errors.workflow} onChange={(event) => onChange("workflow", event.target.value === "None" ? "None" : "Faber")} hint={works ? "Frame, architect, build, evaluate, release" : "It waits for what you say"}>
          <option value="Faber">works a work item (FABER)</option>
          <option value="None">talks with me, nothing else</option>
        </SelectField>
        {works && <WorkItemField repository={draft.url} value={draft.workId} error={errors.workId} onChange={(workId) => onChange("workId", workId)} onLeave={() => onLeave("workId")} />}
      </FieldRow>
      {works && (
        <ChoiceCards
          label="How far it goes by itself"
          name="autonomy"
          columns="sm:grid-cols-2"
          choices={AUTONOMY}
          value={draft.autonomy}
          error={errors.autonomy}
          onChange={(value) => onChange("autonomy", AUTONOMY.find((each) => each.value === value)?.value ?? draft.autonomy)}
        />
      )}
      <FieldRow>
        <SelectField label="Forge" hint="Where the work item is and the pull request is opened" value={draft.forge} error={errors.forge} onChange={(event) => onChange("forge", event.target.value)}>
          <option value="">told by the address</option>
          {FORGES.map((forge) => (
            <option key={forge}>{forge}</option>
          ))}
        </SelectField>
        <TextField label="Budget in USD" placeholder={budgetPlaceholder(defaultBudget)} inputMode="decimal" {...wire("budget")} />
      </FieldRow>
      <TextField label="Model" placeholder="the cluster's default" code {...wire("model")} />
    </>
  );
}
