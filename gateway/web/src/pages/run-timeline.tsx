import { ArrowDown } from "lucide-react";
import { useDeferredValue, useMemo, useRef } from "react";
import { useMessages, type Told } from "../api/messages";
import { useMarkRead } from "../api/read-marks";
import type { Run } from "../api/types";
import { useAddress, useFind, useLinked } from "../components/address";
import { Button } from "../components/button";
import { needleOf } from "../components/find";
import { Panel } from "../components/panel";
import { SearchField } from "../components/search-field";
import { usePinned, useSeen } from "../components/sight";
import { pullRequestOf } from "../run/cost";
import { select } from "../run/search";
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
        <SearchField label="Search the timeline" words={words} onChange={setWords} />
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

/** What is looked for, and of which kinds; both stand in the address. */
function useFilter() {
  const [words, setWords] = useFind();
  const [show, setShow] = useAddress("show");
  const kinds = useMemo(() => new Set(KINDS.filter((kind) => show.split(",").includes(kind))), [show]);
  const toggle = (kind: Kind): void => setShow(KINDS.filter((each) => kinds.has(each) !== (each === kind)).join(","));
  return { words, setWords, kinds, toggle };
}
