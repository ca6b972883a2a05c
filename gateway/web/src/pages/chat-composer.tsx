import { LoaderCircle, SendHorizontal, Square } from "lucide-react";
import { useId, useRef, useState, type KeyboardEvent } from "react";
import type { Session } from "../api/types";
import { MESSAGE_BYTES } from "../chat/protocol";
import type { Chat } from "../chat/state";
import type { ChatHandle } from "../chat/use-chat";
import { AGENT_WORDS, sendHint } from "../chat/words";
import { useDraft } from "../components/answer-fields";
import { Button } from "../components/button";
import { useMedia } from "../components/media";
import type { LinkName } from "../link/link";
import type { Tone } from "../link/words";
import { CancelWorkflow } from "./chat-workflow";

interface Props {
  session: Session;
  handle: ChatHandle;
  mayInterrupt: boolean;
  /** The first Escape was pressed: the second interrupts. */
  warned: boolean;
  onInterrupt: () => void;
  onForgetWarning: () => void;
}

/** Where one speaks to the agent. What was typed outlives a reload; what is sent outlives a lost connection. */
export function ChatComposer({ session, handle, mayInterrupt, warned, onInterrupt, onForgetWarning }: Props) {
  const { chat, status, connection } = handle;
  const id = useId();
  const [text, setText] = useDraft(`chat-draft ${session.uid}`);
  const [asCommand, setAsCommand] = useState(false);
  const touch = useMedia("(pointer: coarse)");
  const field = useRef<HTMLTextAreaElement>(null);
  if (status.established && chat.caughtUp && !chat.maySpeak) {
    return <p className="border-t border-line bg-surface px-4 py-3 text-sm text-soft">You may read this chat. Speaking needs the right to create sessions/chat in {session.namespace}.</p>;
  }

  const tooLong = text.length * 3 > MESSAGE_BYTES && new TextEncoder().encode(text).length > MESSAGE_BYTES;
  const isCommand = text.startsWith("/");
  const empty = text.trim() === "";
  const send = (): void => {
    if (empty || tooLong) return;
    connection?.say(text, isCommand && asCommand);
    setText("");
    setAsCommand(false);
    field.current?.focus();
  };
  const recall = (): boolean => {
    const last = chat.entries.findLast((entry) => entry.is === "user" && entry.author === chat.author);
    if (text !== "" || last?.is !== "user") return false;
    setText(last.text);
    return true;
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" && warned) onForgetWarning();
    if (event.nativeEvent.isComposing) return;
    const sends = event.key === "Enter" && (event.ctrlKey || event.metaKey || (!event.shiftKey && !touch));
    if (sends) send();
    if (sends || (event.key === "ArrowUp" && recall())) event.preventDefault();
  };
  return (
    <form
      noValidate
      aria-label="Say something"
      className="shrink-0 border-t border-line bg-surface px-3 pt-2 pb-[max(0.5rem,env(safe-area-inset-bottom))]"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div className="flex items-end gap-2">
        <textarea
          ref={field}
          id={id}
          data-composer
          rows={1}
          value={text}
          aria-label="Message to the agent"
          aria-describedby={`${id}-hint`}
          aria-invalid={tooLong}
          placeholder="Message to the agent"
          onChange={(event) => setText(event.target.value)}
          onKeyDown={onKey}
          className={`block field-sizing-content max-h-48 min-h-8 min-w-0 flex-1 resize-none rounded-md border bg-surface px-2.5 py-1.5 text-sm text-ink focus-visible:outline-offset-0 pointer-coarse:min-h-11 pointer-coarse:py-2.5 pointer-coarse:text-[1rem] ${tooLong ? "border-bad" : "border-edge"}`}
        />
        {mayInterrupt && (
          <Button onClick={onInterrupt} aria-label="Interrupt the agent" title="Interrupt the agent (Escape, twice)" className="px-2.5">
            <Square className="size-3.5 fill-current" aria-hidden />
            <span className="sr-only lg:not-sr-only">Interrupt</span>
          </Button>
        )}
        <CancelWorkflow handle={handle} />
        <Button type="submit" look="primary" disabled={empty || tooLong} aria-label="Send" title="Send (Enter)" className="px-2.5">
          <SendHorizontal className="size-4" aria-hidden />
        </Button>
      </div>
      <div className="mt-1 flex min-h-4 flex-wrap items-center gap-x-3 text-xs text-faint">
        <AgentMark agent={chat.agent} link={status.link} />
        <p id={`${id}-hint`} className={tooLong ? "text-bad" : ""}>
          {tooLong ? `A message may have ${MESSAGE_BYTES.toLocaleString("en-GB")} bytes. This one is longer.` : sendHint(chat.agent.state, status.link)}
        </p>
        {isCommand && (
          <label className="flex items-center gap-1.5 text-soft">
            <input type="checkbox" checked={asCommand} onChange={(event) => setAsCommand(event.target.checked)} className="size-4 accent-accent pointer-coarse:size-6" />
            Run it as a command of the agent
          </label>
        )}
        <p className="ml-auto hidden sm:block" aria-live="polite">
          {warned ? <span className="font-medium text-busy">Escape again interrupts the agent</span> : mayInterrupt ? "Escape twice interrupts" : "Enter sends, Shift Enter is a new line"}
        </p>
      </div>
    </form>
  );
}

const TONES: Record<Tone, string> = { good: "text-accent-text", busy: "text-busy", bad: "text-bad", rest: "text-soft" };

/** How the agent stands. */
function AgentMark({ agent: { state, message }, link }: { agent: Chat["agent"]; link: LinkName }) {
  if (link !== "live") return null;
  const { text, tone } = AGENT_WORDS[state];
  return (
    <span role="status" data-agent={state} title={message} className={`inline-flex shrink-0 items-center gap-1.5 font-medium ${TONES[tone]}`}>
      {tone === "busy" ? <LoaderCircle className="size-3 animate-spin" aria-hidden /> : <span className="size-2 rounded-full bg-current" aria-hidden />}
      {text}
    </span>
  );
}
