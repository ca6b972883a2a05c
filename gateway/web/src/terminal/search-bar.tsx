import { CaseSensitive, ChevronDown, ChevronUp, Regex, X } from "lucide-react";
import { useEffect, useRef, useState, type KeyboardEvent } from "react";
import { IconButton } from "../components/button";
import { useTheme } from "../layout/theme";
import type { Found, Wanted } from "./finder";
import type { TerminalScreen } from "./screen";

interface Props {
  screen: TerminalScreen;
  found: Found;
  onClose: () => void;
}

/** Finds words in what the terminal has printed. */
export function SearchBar({ screen, found, onClose }: Props) {
  const theme = useTheme();
  const field = useRef<HTMLInputElement>(null);
  const [wanted, setWanted] = useState<Wanted>({ words: "", matchCase: false, regex: false });
  useEffect(() => {
    void screen.finder.find(wanted, theme, 0);
  }, [screen, wanted, theme]);
  useEffect(() => () => void screen.finder.clear(), [screen]);

  const step = (by: 1 | -1): void => {
    void screen.finder.find(wanted, theme, by);
    field.current?.focus();
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "Escape") onClose();
    else if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
    else return;
    event.preventDefault();
  };
  return (
    <div role="search" aria-label="Terminal output" className="animate-appear flex max-w-full items-center gap-0.5 rounded-lg bg-raised p-1 shadow-float" onKeyDown={(event) => event.key === "Escape" && onClose()}>
      <input
        ref={field}
        type="text"
        aria-label="Find in the terminal"
        placeholder="Find"
        autoFocus
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
        value={wanted.words}
        onChange={(event) => setWanted({ ...wanted, words: event.target.value })}
        onKeyDown={onKey}
        className="h-7 w-36 min-w-0 rounded-md border border-edge bg-surface px-2 text-sm text-ink focus-visible:outline-offset-0 pointer-coarse:h-11 pointer-coarse:text-[1rem]"
      />
      <span role="status" className="numbers w-16 shrink-0 px-1 text-center text-xs text-soft">
        {wanted.words === "" ? "" : words(found)}
      </span>
      <IconButton label="Match case" aria-pressed={wanted.matchCase} className="aria-pressed:bg-accent-soft aria-pressed:text-accent-text" onClick={() => setWanted({ ...wanted, matchCase: !wanted.matchCase })}>
        <CaseSensitive className="size-4" aria-hidden />
      </IconButton>
      <IconButton label="Regular expression" aria-pressed={wanted.regex} className="hidden aria-pressed:bg-accent-soft aria-pressed:text-accent-text sm:inline-flex" onClick={() => setWanted({ ...wanted, regex: !wanted.regex })}>
        <Regex className="size-3.5" aria-hidden />
      </IconButton>
      <IconButton label="Find the one before" onClick={() => step(-1)}>
        <ChevronUp className="size-4" aria-hidden />
      </IconButton>
      <IconButton label="Find the next" onClick={() => step(1)}>
        <ChevronDown className="size-4" aria-hidden />
      </IconButton>
      <IconButton label="Close the search" onClick={onClose}>
        <X className="size-4" aria-hidden />
      </IconButton>
    </div>
  );
}

function words({ at, count }: Found): string {
  if (count === 0) return "nothing";
  return at === 0 ? `${count}` : `${at} of ${count}`;
}
