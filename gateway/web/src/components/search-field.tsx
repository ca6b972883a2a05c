import { Search } from "lucide-react";
import { useEffect, useRef, type KeyboardEvent } from "react";

interface Props {
  label: string;
  words: string;
  onChange: (words: string) => void;
}

/** Looks for words; a slash anywhere on the page leads to it. */
export function SearchField({ label, words, onChange }: Props) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent): void => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      event.preventDefault();
      field.current?.focus();
      field.current?.select();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== "Escape") return;
    if (words === "") field.current?.blur();
    else onChange("");
  };
  return (
    <div className="relative min-w-40 flex-1 basis-48">
      <Search className="pointer-events-none absolute top-1/2 left-2.5 size-4 -translate-y-1/2 text-faint" aria-hidden />
      <input
        ref={field}
        type="search"
        value={words}
        aria-label={label}
        aria-keyshortcuts="/"
        placeholder="Search  /"
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={onKey}
        className="h-8 w-full rounded-md border border-edge bg-surface pr-2 pl-8 text-sm text-ink focus-visible:outline-offset-0 pointer-coarse:h-11 pointer-coarse:text-[1rem]"
      />
    </div>
  );
}

/** Keys belong to what one types into, and to a layer above the page. */
function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable=true], [role=dialog], [role=menu]") !== null;
}
