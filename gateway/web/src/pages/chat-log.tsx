import { ArrowDown, CircleAlert } from "lucide-react";
import { useCallback, useDeferredValue, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { Session } from "../api/types";
import { beginning } from "../chat/archived";
import type { Entry } from "../chat/entries";
import type { Outgoing } from "../chat/machine";
import { select } from "../chat/search";
import { look, UNREAD_NOTHING, type Reading } from "../chat/unread";
import type { ChatHandle } from "../chat/use-chat";
import { spokenAloud } from "../chat/words";
import { useFind, useLinked } from "../components/address";
import { Button } from "../components/button";
import { needleOf } from "../components/find";
import { LongList } from "../components/long-list";
import { SearchField } from "../components/search-field";
import { usePinned } from "../components/sight";
import { anchorOf } from "../components/stamp";
import { workflowOf } from "../session/state";
import { ChatArchive } from "./chat-archive";
import { ChatEntry } from "./chat-entry";

/** Between a line and a paragraph. */
const HEIGHT = 48;

interface Props {
  session: Session;
  handle: ChatHandle;
  /** Whether the search is wanted where there is no room for it always. */
  searching: boolean;
}

/** Everything that was said and done, as one line of time that follows what is new. */
export function ChatLog({ session, handle: { chat, status, connection }, searching }: Props) {
  const { entries, caughtUp } = chat;
  const [words, setWords] = useFind();
  const needle = useDeferredValue(needleOf(words));
  const shown = useMemo(() => select(entries, needle), [entries, needle]);
  // Who follows the time of a found entry is led to where it stands among the others.
  const linked = useLinked(caughtUp && needle === "");
  useLeaveSearch(linked, setWords);
  const box = useRef<HTMLDivElement>(null);
  const { atEnd, toEnd, onScroll } = usePinned(box, shown, linked === undefined && needle === "");
  const { mark, unread } = useUnread(entries, atEnd && needle === "");
  useFollow(status.outbox.length, toEnd);
  const needed = useCallback((entry: Entry) => anchorOf(entry.seq) === linked, [linked]);
  const draw = useCallback((entry: Entry) => <ChatEntry key={entry.key} entry={entry} needle={needle} linked={linked === anchorOf(entry.seq)} unread={mark === entry.key} />, [needle, linked, mark]);

  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className={`${searching || words !== "" ? "flex" : "hidden lg:flex"} items-center gap-3 border-b border-line px-3 py-2`}>
        <SearchField label="Search the chat" words={words} onChange={setWords} />
        <span role="status" className="numbers shrink-0 text-xs text-faint">
          {needle === "" ? "" : `${shown.length.toLocaleString("en-GB")} of ${entries.length.toLocaleString("en-GB")}`}
        </span>
      </div>
      {caughtUp && <ChatArchive session={session} needle={needle} before={beginning(entries)} />}
      <div className="relative flex min-h-0 flex-1 flex-col bg-surface">
        {/* Told by the line below: all that streams would be noise. */}
        <div ref={box} role="log" aria-label="Conversation" aria-live="off" aria-busy={!caughtUp} tabIndex={0} onScroll={onScroll} className="min-h-0 flex-1 overflow-y-auto focus-visible:-outline-offset-2">
          <div>
            {chat.cut && <p className="px-4 pt-2 text-xs text-faint">Earlier entries are in the archive alone: the search finds them there.</p>}
            {shown.length === 0 ? <p className="px-4 py-4 text-sm text-soft">{emptyWords(session, caughtUp, needle)}</p> : <LongList items={shown} height={HEIGHT} needed={needed} draw={draw} />}
            <Outbox outbox={status.outbox} author={chat.author} onAgain={({ id, content, command }) => {
              connection?.forget(id);
              connection?.say(content, command);
            }} onForget={({ id }) => connection?.forget(id)} />
          </div>
        </div>
        {!atEnd && (
          <Button onClick={toEnd} className="absolute right-4 bottom-3 shadow-float">
            <ArrowDown className="size-4" aria-hidden /> {unread > 0 ? `${unread.toLocaleString("en-GB")} new` : "Newest"}
          </Button>
        )}
      </div>
      <Aloud entries={entries} ready={caughtUp} />
    </div>
  );
}

function emptyWords(session: Session, caughtUp: boolean, needle: string): string {
  if (needle !== "") return "Nothing of that is here.";
  if (!caughtUp) return "Reading…";
  return workflowOf(session) === "None" ? "Nothing was said yet. Tell the agent what you want." : "Nothing has happened yet. The agent begins with the work item by itself.";
}

/** Another entry than before is named by the address: it is not among the found ones alone that one wants to see it. */
function useLeaveSearch(linked: string | undefined, setWords: (words: string) => void): void {
  const before = useRef(linked);
  useEffect(() => {
    if (before.current !== linked) setWords("");
    before.current = linked;
  }, [linked, setWords]);
}

/** What nobody has read: where it begins, and how much it is. */
function useUnread(entries: readonly Entry[], atEnd: boolean): { mark: string | undefined; unread: number } {
  const [visible, setVisible] = useState(() => document.visibilityState === "visible");
  useEffect(() => {
    const changed = (): void => setVisible(document.visibilityState === "visible");
    document.addEventListener("visibilitychange", changed);
    return () => document.removeEventListener("visibilitychange", changed);
  }, []);
  const [reading, setReading] = useState<Reading>(UNREAD_NOTHING);
  const now = look(reading, entries, atEnd && visible);
  if (now !== reading) setReading(now);
  const from = now.mark === undefined || now.read ? -1 : entries.findLastIndex(({ key }) => key === now.mark);
  return { mark: now.mark, unread: from < 0 ? 0 : entries.length - from };
}

/** Who speaks wants to see what becomes of it. */
function useFollow(spoken: number, toEnd: () => void): void {
  const before = useRef(spoken);
  useLayoutEffect(() => {
    if (spoken > before.current) toEnd();
    before.current = spoken;
  });
}

interface OutboxProps {
  outbox: readonly Outgoing[];
  author: string;
  onAgain: (outgoing: Outgoing) => void;
  onForget: (outgoing: Outgoing) => void;
}

/** What was said here and has not arrived. */
function Outbox({ outbox, author, onAgain, onForget }: OutboxProps) {
  if (outbox.length === 0) return null;
  return (
    <ol aria-label="Not sent yet" className="pb-2">
      {outbox.map((outgoing) => (
        <li key={outgoing.id} className="flex justify-end py-1.5 pr-4 pl-10">
          <div className="max-w-full min-w-0">
            <p className="mb-0.5 text-right text-xs text-faint">
              {outgoing.refused === undefined ? "Sending…" : "Not taken"} <span className="font-medium text-soft">{author}</span>
            </p>
            <p className="rounded-lg border border-dashed border-edge px-3 py-2 text-sm break-words whitespace-pre-wrap">{outgoing.content}</p>
            {outgoing.refused !== undefined && (
              <div role="alert" className="mt-1 flex flex-wrap items-center justify-end gap-2 text-sm text-bad">
                <CircleAlert className="size-4 shrink-0" aria-hidden />
                <span className="min-w-0 break-words">{outgoing.refused}</span>
                <Button onClick={() => onAgain(outgoing)}>Send again</Button>
                <Button onClick={() => onForget(outgoing)}>Remove</Button>
              </div>
            )}
          </div>
        </li>
      ))}
    </ol>
  );
}

/** What is new, for those who hear the page: whole sentences, and only the newest of them. */
function Aloud({ entries, ready }: { entries: readonly Entry[]; ready: boolean }) {
  const [told, setTold] = useState<{ through: number; text: string }>();
  const newest = entries.at(-1)?.seq ?? 0;
  if (ready && told === undefined) setTold({ through: newest, text: "" });
  if (told !== undefined) {
    const fresh = entries.findLast((entry) => entry.seq > told.through && spokenAloud(entry) !== undefined);
    if (fresh !== undefined) setTold({ through: fresh.seq, text: spokenAloud(fresh) ?? "" });
  }
  return (
    <p role="status" aria-label="News" className="sr-only">
      {told?.text}
    </p>
  );
}
