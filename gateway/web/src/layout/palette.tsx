// The command palette: everything the page can do, by typing.

import { Copy, Moon, Play, Plus, SquareTerminal, Sun, type LucideIcon } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import { useEffect, useId, useMemo, useState, type KeyboardEvent, type ReactNode } from "react";
import { useNavigate } from "react-router";
import { useRuns } from "../api/runs";
import { useSessions } from "../api/sessions";
import { copyText } from "../components/copy";
import { useTell } from "../components/toast";
import * as runs from "../run/manifest";
import * as runStates from "../run/state";
import { kubectlCommand } from "../session/manifest";
import { STATE_WORDS, stateOf } from "../session/state";
import { PaletteContext } from "./palette-context";
import { chooseTheme, useTheme } from "./theme";

interface Entry {
  id: string;
  icon: LucideIcon;
  text: string;
  aside?: string;
  run: () => void;
}

const SHOWN = 12;

export function PaletteProvider({ children }: { children: ReactNode }) {
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent): void => {
      if (event.key.toLowerCase() !== "k" || event.altKey || !(event.ctrlKey || event.metaKey)) return;
      // Ctrl-K belongs to the shell while one types there; Ctrl-Shift-K and Cmd-K open the palette everywhere.
      const inShell = event.target instanceof Element && event.target.closest(".xterm") !== null;
      if (inShell && event.ctrlKey && !event.shiftKey) return;
      event.preventDefault();
      event.stopPropagation();
      setOpen((now) => !now);
    };
    window.addEventListener("keydown", onKey, { capture: true });
    return () => window.removeEventListener("keydown", onKey, { capture: true });
  }, []);
  const palette = useMemo(() => ({ open: () => setOpen(true) }), []);
  return (
    <PaletteContext value={palette}>
      {children}
      <Radix.Root open={open} onOpenChange={setOpen}>
        <Radix.Portal>
          <Radix.Overlay className="animate-fade fixed inset-0 z-50 bg-scrim" />
          <Radix.Content aria-describedby={undefined} className="animate-appear fixed inset-x-3 top-3 z-50 overflow-hidden rounded-xl bg-raised shadow-float sm:inset-x-auto sm:top-[16vh] sm:left-1/2 sm:w-[36rem] sm:max-w-[calc(100vw-3rem)] sm:-translate-x-1/2">
            <Radix.Title className="sr-only">Commands</Radix.Title>
            <CommandList close={() => setOpen(false)} />
          </Radix.Content>
        </Radix.Portal>
      </Radix.Root>
    </PaletteContext>
  );
}

function CommandList({ close }: { close: () => void }) {
  const list = useId();
  const [query, setQuery] = useState("");
  const [chosen, setChosen] = useState(0);
  const entries = useEntries();
  const words = query.toLowerCase().split(/\s+/);
  const found = entries.filter(({ text, aside = "" }) => words.every((word) => `${text} ${aside}`.toLowerCase().includes(word))).slice(0, SHOWN);
  const active = Math.min(chosen, found.length - 1);

  const run = (entry: Entry | undefined): void => {
    if (entry === undefined) return;
    close();
    entry.run();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && found.length > 0) {
      event.preventDefault();
      setChosen((active + step + found.length) % found.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(found[active]);
    }
  };

  return (
    <>
      <input
        role="combobox"
        aria-expanded
        aria-controls={list}
        aria-activedescendant={found[active] === undefined ? undefined : `${list}-${active}`}
        aria-label="Search commands, sessions and runs"
        placeholder="Open a session or run, do something…"
        autoComplete="off"
        spellCheck={false}
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setChosen(0);
        }}
        onKeyDown={onKeyDown}
        className="h-12 w-full border-b border-line bg-transparent px-4 text-base outline-none"
      />
      <ul id={list} role="listbox" aria-label="Commands" className="max-h-[50vh] overflow-y-auto p-1.5">
        {found.map((entry, index) => (
          <li
            key={entry.id}
            id={`${list}-${index}`}
            role="option"
            aria-selected={index === active}
            onPointerMove={() => setChosen(index)}
            onClick={() => run(entry)}
            className={`flex h-9 pointer-coarse:h-11 items-center gap-2.5 rounded-md px-2.5 text-sm ${index === active ? "bg-hover" : ""}`}
          >
            <entry.icon className="size-4 shrink-0 text-soft" aria-hidden />
            <span className="min-w-0 flex-1 truncate">{entry.text}</span>
            {entry.aside !== undefined && <span className="truncate text-xs text-faint">{entry.aside}</span>}
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="px-4 pb-4 text-sm text-soft">Nothing is called that.</p>}
    </>
  );
}

function useEntries(): Entry[] {
  const navigate = useNavigate();
  const tell = useTell();
  const theme = useTheme();
  const { data: sessions = [] } = useSessions();
  const { data: allRuns = [] } = useRuns();
  const copy = async (command: string): Promise<void> => {
    tell((await copyText(command)) ? "Command copied" : command);
  };
  return [
    { id: "new", icon: Plus, text: "New session", run: () => void navigate("/sessions?new") },
    { id: "new-run", icon: Plus, text: "New run", run: () => void navigate("/runs?new") },
    ...sessions.map((session) => ({
      id: `open-${session.uid}`,
      icon: SquareTerminal,
      text: `Open ${session.name}`,
      aside: `${session.namespace} · ${STATE_WORDS[stateOf(session)]}`,
      run: () => void navigate(`/ns/${session.namespace}/sessions/${session.name}`),
    })),
    ...allRuns.map((run) => ({
      id: `open-${run.uid}`,
      icon: Play,
      text: `Open run ${runStates.titleOf(run)}`,
      aside: `${run.namespace}/${run.name} · ${runStates.wordOf(run)}`,
      run: () => void navigate(`/ns/${run.namespace}/runs/${run.name}`),
    })),
    {
      id: "theme",
      icon: theme === "dark" ? Sun : Moon,
      text: theme === "dark" ? "Switch to the light theme" : "Switch to the dark theme",
      run: () => chooseTheme(theme === "dark" ? "light" : "dark"),
    },
    ...[...sessions.map((session) => ({ ...session, command: kubectlCommand(session) })), ...allRuns.map((run) => ({ ...run, command: runs.kubectlCommand(run) }))].map(({ uid, name, namespace, command }) => ({
      id: `copy-${uid}`,
      icon: Copy,
      text: `Copy kubectl command of ${name}`,
      aside: namespace,
      run: () => void copy(command),
    })),
  ];
}
