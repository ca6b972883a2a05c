// The form of something new while somebody fills it in: what was typed, what is wrong with it, and sending it.

import { useMutation } from "@tanstack/react-query";
import { useEffect, useState, type SubmitEvent } from "react";
import { flushSync } from "react-dom";
import { ApiError } from "../api/client";
import type { Drafts } from "./draft";
import { placeErrors, type Placed } from "./errors";

type Field<D> = keyof D & string;
/** Fields that take any text. */
type TextField<D> = { [F in Field<D>]: string extends D[F] ? F : never }[Field<D>];
type Mistakes<D> = Partial<Record<Field<D>, string>>;

interface Options<D, Made> {
  drafts: Drafts<D>;
  /** What stands in the form at first. */
  begin: () => D;
  validate: (draft: D) => Mistakes<D>;
  /** Whether nothing is wrong but what `validate` finds. */
  complete?: (draft: D) => boolean;
  /** Where the form shows an error of the API. */
  places: readonly (readonly [string, Field<D>])[];
  create: (draft: D) => Promise<Made>;
  onCreated: (made: Made) => void;
}

/** What sends the form, and what came of it. */
export interface Sending {
  /** Creates it when nothing is wrong; else says what is. */
  submit: (event: SubmitEvent<HTMLFormElement>) => void;
  creating: boolean;
  /** What the API refused that is about no field. */
  refusals: string[];
}

interface TextWiring {
  value: string;
  error: string | undefined;
  onChange: (event: { target: { value: string } }) => void;
  onBlur: () => void;
}

export interface DraftForm<D> {
  draft: D;
  /** What is to be said of each field by now. */
  errors: Mistakes<D>;
  change: (changes: Partial<D>) => void;
  /** From now on what is wrong with these is said. */
  leave: (...fields: Field<D>[]) => void;
  wire: (field: TextField<D>) => TextWiring;
  sending: Sending;
}

/** What was typed outlives errors, reloads and the end of a login; what is wrong is said once a field was left. */
export function useDraft<D extends { namespace: string }, Made>({ drafts, begin, validate, complete, places, create, onCreated }: Options<D, Made>): DraftForm<D> {
  const [draft, setDraft] = useState(begin);
  const [touched, setTouched] = useState<ReadonlySet<Field<D>>>(new Set());
  const [refused, setRefused] = useState<Placed<Field<D>>>({ fields: {}, rest: [] });
  useEffect(() => drafts.save(draft), [drafts, draft]);

  const own = validate(draft);
  const errors: Mistakes<D> = { ...refused.fields };
  for (const field of touched) if (own[field] !== undefined) errors[field] = own[field];

  const creation = useMutation<Made, Error, HTMLFormElement>({
    mutationFn: () => create(draft),
    onSuccess: (made) => {
      drafts.clear();
      onCreated(made);
    },
    onError: (error, form) => {
      const placed = error instanceof ApiError && error.fields.length > 0 ? placeErrors(places, error.fields) : { fields: {}, rest: [error.message] };
      show(form, () => setRefused(placed));
    },
  });

  const change = (changes: Partial<D>): void => {
    setDraft((old) => ({ ...old, ...changes }));
    setRefused(({ fields, rest }) => ({ fields: without(fields, changes), rest }));
  };
  const leave = (...fields: Field<D>[]): void => setTouched((old) => new Set([...old, ...fields]));
  const wire = (field: TextField<D>): TextWiring => ({
    value: draft[field] as string,
    error: errors[field],
    onChange: (event) => change({ [field]: event.target.value } as Partial<D>),
    onBlur: () => leave(field),
  });
  const submit = (event: SubmitEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    const mistaken = Object.keys(own) as Field<D>[];
    if (mistaken.length === 0 && complete?.(draft) !== false) creation.mutate(form);
    else show(form, () => leave(...mistaken));
  };
  return { draft, errors, change, leave, wire, sending: { submit, creating: creation.isPending, refusals: refused.rest } };
}

/** Says what is wrong, and puts the focus on the first of it, which must have been drawn for that. */
function show(form: HTMLFormElement, say: () => void): void {
  flushSync(say);
  form.querySelector<HTMLElement>("[aria-invalid=true], [data-invalid=true] .cm-content")?.focus();
}

/** The API's word on a field is about what stood there. */
function without<D>(fields: Mistakes<D>, changes: Partial<D>): Mistakes<D> {
  return Object.fromEntries(Object.entries(fields).filter(([field]) => !(field in changes))) as Mistakes<D>;
}
