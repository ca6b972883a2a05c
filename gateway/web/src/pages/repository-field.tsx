import { useState } from "react";
import { useForges, useRepositories } from "../api/forges";
import type { FoundRepository } from "../api/types";
import { ComboField } from "../components/combo-field";
import { forgeField, hostOf } from "../form/forges";

interface Props {
  value: string;
  error: string | undefined;
  hint?: string;
  onChange: (url: string) => void;
  /** One was found: its address, and what `repository.forge` must say. */
  onPick: (url: string, forge: string) => void;
  onLeave: () => void;
}

/** An address, typed or found in the forges that the gateway may search. */
export function RepositoryField({ value, error, hint, onChange, onPick, onLeave }: Props) {
  const [looking, setLooking] = useState(false);
  const [picked, setPicked] = useState<FoundRepository>();
  const forges = useForges();
  const { items, told } = useRepositories(value, forges, looking);
  const isPrivate = picked?.url === value && picked.private;
  return (
    <ComboField
      label="Repository"
      placeholder={forges.length > 0 ? "Search, or an address: https://…" : "https://git.example.com/team/project"}
      hint={isPrivate ? "It is private: name a Secret for it under More" : hint}
      error={error}
      inputMode="url"
      value={value}
      searches={forges.length > 0}
      suggestions={items.map(({ url, name, description, private: isClosed, forge }) => ({
        id: url,
        text: name,
        note: [forges.length > 1 ? hostOf(forge) : "", description ?? ""].filter(Boolean).join(" · "),
        aside: isClosed ? "private" : undefined,
      }))}
      listLabel="Repositories"
      told={told}
      open={looking}
      onOpenChange={setLooking}
      onChange={onChange}
      onPick={(url) => {
        const repository = items.find((each) => each.url === url);
        if (repository === undefined) return;
        setPicked(repository);
        onPick(url, forgeField(repository.forge));
      }}
      onBlur={onLeave}
    />
  );
}
