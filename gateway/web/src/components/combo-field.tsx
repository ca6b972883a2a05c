import { useEffect, useId, useRef, useState, type InputHTMLAttributes, type KeyboardEvent } from "react";
import { Field, type FieldProps } from "./field";

export interface Suggestion {
  id: string;
  text: string;
  /** More of it, where there is room. */
  note?: string | undefined;
  aside?: string | undefined;
}

interface Props extends FieldProps, Omit<InputHTMLAttributes<HTMLInputElement>, "id" | "onChange"> {
  value: string;
  /** Whether there is anything to suggest from; without, it is a field like any other. */
  searches: boolean;
  suggestions: readonly Suggestion[];
  /** What the suggestions are, for those who hear the page. */
  listLabel: string;
  /** What stands below the suggestions. */
  told: string | undefined;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onChange: (text: string) => void;
  onPick: (id: string) => void;
}

/** A field that one types into as into any other, with suggestions below it. What was typed stays unless one is picked. */
export function ComboField({ label, hint, error, value, searches, suggestions, listLabel, told, open, onOpenChange, onChange, onPick, onBlur, ...input }: Props) {
  const list = useId();
  const box = useRef<HTMLDivElement>(null);
  // Not its place: others may come before it while somebody chooses.
  const [chosen, setChosen] = useState<string>();
  const active = suggestions.findIndex(({ id }) => id === chosen);
  const shown = searches && open && (suggestions.length > 0 || told !== undefined);
  const expanded = shown && suggestions.length > 0;
  const close = (): void => {
    onOpenChange(false);
    setChosen(undefined);
  };
  const look = (): void => {
    if (searches && !open) onOpenChange(true);
  };
  const pick = (suggestion: Suggestion | undefined): void => {
    if (suggestion !== undefined) onPick(suggestion.id);
    close();
  };
  useEffect(() => {
    if (shown) box.current?.scrollIntoView({ block: "nearest" });
  }, [shown, suggestions.length]);
  // In braces: what browsers of today return is no clean-up.
  useEffect(() => {
    box.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [active]);

  const onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && searches) {
      event.preventDefault();
      look();
      setChosen(suggestions[next(active, step, suggestions.length)]?.id);
    } else if (event.key === "Enter" && expanded && active >= 0) {
      event.preventDefault();
      pick(suggestions[active]);
    } else if (event.key === "Escape" && open) {
      close();
    }
  };

  return (
    <Field label={label} hint={hint} error={error}>
      {(wiring) => (
        <div className="relative">
          <input
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            {...wiring}
            {...input}
            value={value}
            onChange={(event) => {
              setChosen(undefined);
              look();
              onChange(event.target.value);
            }}
            onClick={look}
            onBlur={(event) => {
              close();
              onBlur?.(event);
            }}
            onKeyDown={onKeyDown}
            {...(searches && {
              role: "combobox",
              "data-open": shown,
              "aria-autocomplete": "list",
              "aria-expanded": expanded,
              "aria-controls": expanded ? list : undefined,
              "aria-activedescendant": expanded && active >= 0 ? `${list}-${active}` : undefined,
            })}
          />
          {shown && (
            // A click into it must not take the focus out of the field.
            <div ref={box} onPointerDown={(event) => event.preventDefault()} className="animate-fade absolute inset-x-0 top-full z-10 mt-1 overflow-hidden rounded-lg bg-raised shadow-float">
              {expanded && (
                <ul id={list} role="listbox" aria-label={listLabel} className="max-h-60 overflow-y-auto p-1">
                  {suggestions.map((suggestion, index) => (
                    <Option key={suggestion.id} id={`${list}-${index}`} suggestion={suggestion} active={index === active} onPoint={() => setChosen(suggestion.id)} onPick={() => pick(suggestion)} />
                  ))}
                </ul>
              )}
              {told !== undefined && (
                <p aria-hidden className="px-3 py-2 text-xs break-words text-soft">
                  {told}
                </p>
              )}
            </div>
          )}
          {searches && (
            <p role="status" className="sr-only">
              {shown ? (told ?? `${suggestions.length} found. Arrow down chooses.`) : ""}
            </p>
          )}
        </div>
      )}
    </Field>
  );
}

/** From nothing both ends are one step away. */
function next(active: number, step: number, count: number): number {
  if (active < 0) return step > 0 ? 0 : count - 1;
  return (active + step + count) % count;
}

interface OptionProps {
  id: string;
  suggestion: Suggestion;
  active: boolean;
  onPoint: () => void;
  onPick: () => void;
}

function Option({ id, suggestion: { text, note, aside }, active, onPoint, onPick }: OptionProps) {
  return (
    <li id={id} role="option" aria-selected={active} onPointerMove={onPoint} onClick={onPick} className={`flex min-h-8 items-center gap-2 rounded-md px-2 py-1 text-sm pointer-coarse:min-h-11 ${active ? "bg-hover" : ""}`}>
      <span className="min-w-0 flex-1">
        <span className="block truncate">{text}</span>
        {note !== undefined && note !== "" && <span className="block truncate text-xs text-faint">{note}</span>}
      </span>
      {aside !== undefined && <span className="shrink-0 text-xs text-faint">{aside}</span>}
    </li>
  );
}
