import { AUTONOMY } from "../chat/words";
import { ChoiceCards } from "../components/choice-cards";
import { FieldRow, SelectField, TextField } from "../components/field";
import { budgetPlaceholder, FORGES } from "../form/agent";
import type { DraftForm } from "../form/use-draft";
import type { Draft } from "../session/validation";
import { WorkItemField } from "./work-item-field";

interface Props {
  form: DraftForm<Draft>;
  /** What a model may cost when nothing is said. */
  defaultBudget: string | undefined;
}

/** What the agent does, and how far it may go. */
export function ChatFields({ form: { draft, errors, change, leave, wire }, defaultBudget }: Props) {
  const works = draft.workflow === "Faber";
  return (
    <>
      <FieldRow>
        <SelectField label="The agent" value={draft.workflow} error={errors.workflow} onChange={(event) => change({ workflow: event.target.value === "None" ? "None" : "Faber" })} hint={works ? "Frame, architect, build, evaluate, release" : "It waits for what you say"}>
          <option value="Faber">works a work item (FABER)</option>
          <option value="None">talks with me, nothing else</option>
        </SelectField>
        {works && <WorkItemField repository={draft.url} value={draft.workId} error={errors.workId} onChange={(workId) => change({ workId })} onLeave={() => leave("workId")} />}
      </FieldRow>
      {works && (
        <ChoiceCards
          label="How far it goes by itself"
          name="autonomy"
          columns="sm:grid-cols-2"
          choices={AUTONOMY}
          value={draft.autonomy}
          error={errors.autonomy}
          onChange={(value) => change({ autonomy: AUTONOMY.find((each) => each.value === value)?.value ?? draft.autonomy })}
        />
      )}
      <FieldRow>
        <SelectField label="Forge" hint="Where the work item is and the pull request is opened" {...wire("forge")}>
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
