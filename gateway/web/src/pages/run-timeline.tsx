import { ArrowDown, Search } from "lucide-react";
import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { useLocation, useSearchParams } from "react-router";
import { useMessages, type Told } from "../api/messages";
import { useMarkRead } from "../api/read-marks";
import type { Run } from "../api/types";
import { Button } from "../components/button";
import { Panel } from "../components/panel";
import { usePinned, useSeen } from "../components/sight";
import { pullRequestOf } from "../run/cost";
import { needleOf, select } from "../run/search";
import { hasEnded } from "../run/state";
import { KINDS, type Kind } from "../run/timeline";
import { Entries } from "./run-entries";
import { JournalDownload } from "./run-journal";

const KIND_WORDS: Record<Kind, string> = { progress: "Progress", tools: "Tools", errors: "Errors", questions: "Questions" };

/** Everything that the run has told, and what it tells: searched, narrowed down and saved. */
export function Timeline({ run }: { run: Run }) {
  const [told, feed] = useMessages(run, hasEnded(run) || run.archived === true);
  const markRead = useMarkRead(run, run.status?.escalation?.id);
  const { words, setWords, kinds, toggle } = useFilter();
  const { entries } = told.timeline;
  const needle = useDeferredValue(needleOf(words));
  const shown = useMemo(() => select(entries, needle, kinds), [entries, needle, kinds]);
  const narrowed = needle !== "" || kinds.size > 0;
  const linked = useLinked(told.complete);
  const box = useRef<HTMLDivElement>(null);
  const { atEnd, toEnd, onScroll } = usePinned(box, shown, linked === undefined && !narrowed);
  const end = useSeen(told.complete && told.unseen && !narrowed, () => {
    markRead(told.through);
    feed.seen();
  });

  return (
    <Panel title="Timeline" aside={<Count all={entries.length} shown={shown.length} narrowed={narrowed} />} action={<JournalDownload run={run} />}>
      <div className="flex flex-wrap items-center gap-2 px-4 pb-2 *:max-w-[calc(100%+2rem)]">
        <SearchField words={words} onChange={setWords} />
        <KindFilter entries={entries} kinds={kinds} onToggle={toggle} />
      </div>
      {told.error !== undefined && (
        <p role="status" className="px-4 pb-2 text-sm break-words text-busy">
          What is new cannot be read now: {told.error.message}
        </p>
      )}
      {told.cut && <p className="px-4 pb-2 text-xs text-faint">Earlier entries are in the journal alone.</p>}
      <div className="relative border-t border-line">
        <div ref={box} role="log" aria-label="Messages" aria-busy={!told.complete} tabIndex={0} onScroll={onScroll} className="max-h-[70dvh] overflow-y-auto focus-visible:-outline-offset-2">
          {shown.length === 0 ? (
            <p className="px-4 py-4 text-soft">{!told.complete ? `Reading… ${told.through.toLocaleString("en-GB")}` : emptyWords(run, entries.length > 0)}</p>
          ) : (
            <Entries entries={shown} needle={needle} linked={linked} pullRequest={pullRequestOf(run)} />
          )}
          <div ref={end} className="h-px" />
        </div>
        {!atEnd && (
          <Button onClick={toEnd} className="absolute right-4 bottom-3 shadow-float">
            <ArrowDown className="size-4" aria-hidden /> Newest
          </Button>
        )}
      </div>
    </Panel>
  );
}

function emptyWords(run: Run, narrowed: boolean): string {
  if (narrowed) return "Nothing of that is here.";
  return hasEnded(run) || run.archived === true ? "It ended before anything was told." : "Nothing has happened yet.";
}

function Count({ all, shown, narrowed }: { all: number; shown: number; narrowed: boolean }) {
  const words = all.toLocaleString("en-GB");
  return (
    <span role="status" className="numbers">
      {narrowed ? `${shown.toLocaleString("en-GB")} of ${words}` : words}
    </span>
  );
}

interface SearchProps {
  words: string;
  onChange: (words: string) => void;
}

function SearchField({ words, onChange }: SearchProps) {
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
        aria-label="Search the timeline"
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

interface KindProps {
  entries: Told["timeline"]["entries"];
  kinds: ReadonlySet<Kind>;
  onToggle: (kind: Kind) => void;
}

function KindFilter({ entries, kinds, onToggle }: KindProps) {
  const counts = useMemo(() => KINDS.map((kind) => entries.filter((entry) => entry.kinds.includes(kind)).length), [entries]);
  return (
    <div role="group" aria-label="Filter by type" className="-mx-4 flex gap-1 overflow-x-auto px-4 py-0.5 sm:mx-0 sm:px-0">
      {KINDS.map((kind, at) => (
        <button
          key={kind}
          type="button"
          aria-pressed={kinds.has(kind)}
          onClick={() => onToggle(kind)}
          className={`inline-flex h-8 shrink-0 items-center gap-1.5 rounded-full border px-2.5 text-sm transition-colors pointer-coarse:h-11 ${kinds.has(kind) ? "border-edge bg-hover text-ink" : "border-transparent text-soft hover:bg-hover"}`}
        >
          {KIND_WORDS[kind]}
          <span className="numbers text-xs text-faint">{counts[at]?.toLocaleString("en-GB")}</span>
        </button>
      ))}
    </div>
  );
}

/** A browser refuses an address that changes with every key. */
const SETTLED = 300;

/** What is looked for; it stands in the address, so that it survives a reload and can be sent to somebody. */
function useFilter() {
  const [params, setParams] = useSearchParams();
  const [words, setWords] = useState(params.get("find") ?? "");
  const show = params.get("show") ?? "";
  const kinds = useMemo(() => new Set(KINDS.filter((kind) => show.split(",").includes(kind))), [show]);
  const set = useCallback(
    (name: string, value: string) =>
      setParams(
        (before) => {
          const next = new URLSearchParams(before);
          if (value === "") next.delete(name);
          else next.set(name, value);
          return next;
        },
        { replace: true },
      ),
    [setParams],
  );
  const inAddress = params.get("find") ?? "";
  useEffect(() => {
    if (words === inAddress) return;
    const timer = setTimeout(() => set("find", words), SETTLED);
    return () => clearTimeout(timer);
  }, [words, inAddress, set]);
  const toggle = (kind: Kind): void => set("show", KINDS.filter((each) => kinds.has(each) !== (each === kind)).join(","));
  return { words, setWords, kinds, toggle };
}

/** The entry that the address names, once it is there to be shown. */
function useLinked(complete: boolean): string | undefined {
  const { hash } = useLocation();
  const name = hash === "" ? undefined : hash.slice(1);
  useEffect(() => {
    if (complete && name !== undefined) document.getElementById(name)?.scrollIntoView({ block: "center" });
  }, [complete, name]);
  return name;
}
