import { useState } from "react";
import { useForges, useWorkItem, useWorkItems } from "../api/forges";
import { ComboField } from "../components/combo-field";
import { placeOf } from "../form/forges";

interface Props {
  /** The address of the repository that it is of. */
  repository: string;
  value: string;
  error: string | undefined;
  onChange: (workId: string) => void;
  onLeave: () => void;
}

/** The number of a work item, typed or found, and what it is about. */
export function WorkItemField({ repository, value, error, onChange, onLeave }: Props) {
  const [looking, setLooking] = useState(false);
  const place = placeOf(repository, useForges());
  const { items, told } = useWorkItems(value, place, looking);
  const named = useWorkItem(value, place);
  return (
    <ComboField
      label="Work item"
      placeholder={place === undefined ? "12, #12 or owner/name#12" : "Search, or a number: #12"}
      hint={named === undefined ? "An issue that says what to do" : titleOf(named)}
      error={error}
      value={value}
      searches={place !== undefined}
      suggestions={items.map(({ number, title, open }) => ({ id: `#${number}`, text: title, aside: open ? `#${number}` : `#${number} · closed` }))}
      listLabel={place === undefined ? "Work items" : `Work items of ${place.repository}`}
      told={told}
      open={looking}
      onOpenChange={setLooking}
      onChange={onChange}
      onPick={onChange}
      onBlur={onLeave}
    />
  );
}

/** What a number stands for, as far as the gateway's token sees it. */
function titleOf({ number, item }: NonNullable<ReturnType<typeof useWorkItem>>): string {
  if (item === undefined) return `The gateway sees no work item #${number} there`;
  return item.open ? `#${number}: ${item.title}` : `#${number}, closed: ${item.title}`;
}
