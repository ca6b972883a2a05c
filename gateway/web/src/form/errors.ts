// The API's errors, each beside the field of the form that it is about.

import type { FieldError } from "../api/types";

export interface Placed<F extends string> {
  fields: Partial<Record<F, string>>;
  rest: string[];
}

/** Sorts errors into those that belong to a field of the form and those that do not. The first path that fits decides. */
export function placeErrors<F extends string>(places: readonly (readonly [string, F])[], errors: FieldError[]): Placed<F> {
  const fields: Partial<Record<F, string>> = {};
  const rest: string[] = [];
  // Rules that stand on the whole object name their field in the sentence alone.
  const byWords = (message: string): F | undefined => places.find(([path]) => path !== "name" && message.startsWith(path))?.[1];
  for (const { field, message } of errors) {
    const place = places.find(([path]) => field === path || field.startsWith(`${path}.`) || field.startsWith(`${path}[`))?.[1] ?? byWords(message);
    if (place !== undefined && fields[place] === undefined) fields[place] = message;
    else rest.push(field === "" ? message : `${field}: ${message}`);
  }
  return { fields, rest };
}
