import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Known } from "../api/client";
import { lineOf, type Line } from "../chat/archived";
import { useArchive, type Archive } from "../chat/use-archive";
import { Button } from "../components/button";
import { Dialog, DialogBody, DialogFoot } from "../components/dialog";
import { LongText } from "../components/long-text";
import { Marked } from "../components/marked";
import { absolute } from "../session/time";

/** So many letters of a text stand before what was found in it, and in all. */
const LEAD = 60;
const EXCERPT = 240;
/** Messages that are shown at once around one that was found, and how many of them before it. */
const AROUND = 40;
const BEFORE = 15;

interface Props {
  session: Known;
  needle: string;
  /** When what the page holds begins. */
  before: number;
}

/** What was found in the archive alone, above what the page holds; each leads to where it was said. */
export function ChatArchive({ session, needle, before }: Props) {
  const archive = useArchive(session, needle, before);
  const [shown, setShown] = useState<Line>();
  if (archive.state === "nowhere" || (archive.state === "all" && archive.lines.length === 0)) return null;
  return (
    <section aria-label="Earlier, in the archive" className="max-h-[40%] shrink-0 overflow-y-auto border-b border-line bg-canvas">
      <div className="flex flex-wrap items-center gap-2 px-4 py-2">
        <p role="status" className="numbers min-w-0 flex-1 text-xs break-words text-soft">
          {wordsOf(archive)}
        </p>
        {archive.state === "more" && <Button onClick={archive.goOn}>Look for more</Button>}
        {archive.state === "failed" && <Button onClick={archive.goOn}>Try again</Button>}
      </div>
      <ol aria-label="Found in the archive">
        {archive.lines.map((line) => (
          <li key={line.seq}>
            <button type="button" onClick={() => setShown(line)} className="block w-full px-4 py-1.5 text-left hover:bg-hover focus-visible:-outline-offset-2 pointer-coarse:py-3">
              <Head line={line} />
              <span className="block text-sm break-words">
                <Marked text={excerptOf(line.text, needle)} needle={needle} />
              </span>
            </button>
          </li>
        ))}
      </ol>
      {shown !== undefined && <Around session={session} line={shown} needle={needle} onClose={() => setShown(undefined)} />}
    </section>
  );
}

function wordsOf({ state, lines, error }: Archive): string {
  const count = `Earlier, in the archive: ${lines.length.toLocaleString("en-GB")}`;
  if (state === "failed") return `The archive cannot be searched now: ${error?.message ?? "nobody says why."}`;
  return state === "searching" ? `${count}, searching…` : count;
}

function Head({ line: { who, time } }: { line: Line }) {
  return (
    <span className="flex items-baseline gap-2 text-xs text-faint">
      <span className="min-w-0 truncate font-medium text-soft">{who}</span>
      <time dateTime={time} className="numbers shrink-0">
        {absolute(time)}
      </time>
    </span>
  );
}

function excerptOf(text: string, needle: string): string {
  const from = Math.max(0, text.toLowerCase().indexOf(needle) - LEAD);
  const part = text.slice(from, from + EXCERPT);
  return `${from > 0 ? "…" : ""}${part}${from + EXCERPT < text.length ? "…" : ""}`;
}

/** Where something was said: what was told before and after it. */
function Around({ session, line, needle, onClose }: { session: Known; line: Line; needle: string; onClose: () => void }) {
  const [after, setAfter] = useState(Math.max(0, line.seq - BEFORE - 1));
  const { data, error } = useQuery({
    queryKey: ["archive", session.uid, "around", after],
    queryFn: ({ signal }) => api.conversation(session, { after, limit: AROUND }, signal),
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
  return (
    <Dialog open onClose={onClose} title="In the archive" description="What was said and done around it." width="sm:max-w-3xl">
      <DialogBody>
        {data === undefined && <p role="status">{error === null ? "Reading…" : error.message}</p>}
        {/* Nothing else in it takes the focus that keys scroll by. */}
        <ol aria-label="Messages of the archive" tabIndex={0} className="grid gap-2 focus-visible:-outline-offset-2">
          {data?.flatMap((message) => lineOf(message) ?? []).map((each) => (
            <li key={each.seq} ref={each.seq === line.seq ? intoView : undefined} aria-current={each.seq === line.seq ? "true" : undefined} className="rounded-md px-2 py-1 text-sm aria-[current]:bg-accent-soft">
              <Head line={each} />
              <LongText text={each.text} needle={needle} tone="" />
            </li>
          ))}
        </ol>
      </DialogBody>
      <DialogFoot>
        <Button disabled={after === 0} onClick={() => setAfter(Math.max(0, after - AROUND))}>
          Earlier
        </Button>
        <Button disabled={(data?.length ?? 0) < AROUND} onClick={() => setAfter(after + AROUND)}>
          Later
        </Button>
      </DialogFoot>
    </Dialog>
  );
}

function intoView(element: HTMLElement | null): void {
  element?.scrollIntoView({ block: "center" });
}
