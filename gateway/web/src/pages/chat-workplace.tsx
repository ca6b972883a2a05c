import { Bell, Search } from "lucide-react";
import { Tabs } from "radix-ui";
import { useCallback, useMemo, useRef, useState, type ReactNode } from "react";
import type { Session } from "../api/types";
import { openQuestions } from "../chat/state";
import { useChat, type ChatHandle } from "../chat/use-chat";
import { useLeave, useNotice } from "../chat/use-notice";
import { useAddress } from "../components/address";
import { IconButton } from "../components/button";
import { useMedia } from "../components/media";
import { dollars } from "../components/money";
import { useTitle } from "../layout/waiting";
import { ConnectionMark } from "../link/connection-mark";
import { backlogOf } from "../link/words";
import { stateOf, workflowOf } from "../session/state";
import { useStart } from "../session/use-start";
import { AgentSwitch } from "./agent-switch";
import { ChatPane } from "./chat-pane";
import { ChatRail } from "./chat-rail";
import { ShellContext, type ShellWish } from "./chat-shell";
import { ChatSide } from "./chat-side";
import { ChatTerminal } from "./chat-terminal";
import { StartWorkflow } from "./chat-workflow";
import { SessionBar } from "./session-bar";

/** The page of a session with an agent: the chat, and beside it the terminal of the same workspace. */
export function ChatWorkplace({ session }: { session: Session }) {
  const handle = useChat(session);
  const { chat, status } = handle;
  const questions = useMemo(() => openQuestions(chat), [chat]);
  useTitle(session.name, { uid: session.uid, questions: questions.length });
  useNotice(session.name, questions, chat.caughtUp);
  const [starting, start] = useStart(session);
  const back = useRef<HTMLAnchorElement>(null);
  const wide = useMedia("(min-width: 64rem)");
  const [searching, setSearching] = useState(false);
  const [, setView] = useAddress("view");
  const [wish, setWish] = useState<ShellWish>();
  const toShell = useCallback(
    (next: ShellWish) => {
      setWish(next);
      if (!wide) setView("terminal");
    },
    [wide, setView],
  );
  const taken = useCallback(() => setWish(undefined), []);
  const pane = <ChatPane session={session} handle={handle} questions={questions} searching={searching} starting={starting} onStart={start} />;
  const terminal = <ChatTerminal session={session} starting={starting} onStart={start} wish={wish} onWishDone={taken} />;
  return (
    <div className="flex h-full flex-col">
      <SessionBar session={session} back={back} tools={<Tools session={session} handle={handle} searching={searching} onSearch={() => setSearching(!searching)} />}>
        <ConnectionMark status={{ ...status, viewOnly: status.established && !chat.maySpeak }} state={stateOf(session)} backlog={backlogOf(status.outbox.length, "message")} />
      </SessionBar>
      <ChatRail chat={chat} workflow={workflowOf(session)} />
      <ShellContext value={toShell}>
        {wide ? <Beside chat={pane} side={<ChatSide session={session} chat={chat} />} terminal={terminal} /> : <InTabs session={session} handle={handle} chat={pane} terminal={terminal} />}
      </ShellContext>
    </div>
  );
}

interface ToolsProps {
  session: Session;
  handle: ChatHandle;
  searching: boolean;
  onSearch: () => void;
}

/** What a small screen has no room for elsewhere, and the leave to notify. */
function Tools({ session, handle, searching, onSearch }: ToolsProps) {
  const { chat } = handle;
  const { mayAsk, ask } = useLeave();
  return (
    <>
      {chat.usage !== undefined && (
        <span title="What models cost so far, by list prices" className="numbers hidden text-xs text-soft sm:inline lg:hidden">
          {dollars(chat.usage.cost)}
        </span>
      )}
      <IconButton label="Search" aria-expanded={searching} onClick={onSearch} className="lg:hidden">
        <Search className="size-4" aria-hidden />
      </IconButton>
      <StartWorkflow session={session} handle={handle} />
      <AgentSwitch session={session} />
      {mayAsk && (
        <IconButton label="Notify me when I am needed" onClick={ask}>
          <Bell className="size-4" aria-hidden />
        </IconButton>
      )}
    </>
  );
}

function Beside({ chat, side, terminal }: { chat: ReactNode; side: ReactNode; terminal: ReactNode }) {
  return (
    <div className="flex min-h-0 flex-1">
      <div className="flex min-w-0 flex-1 flex-col border-r border-line">{chat}</div>
      <div className="flex w-[42%] max-w-3xl min-w-0 flex-col">
        {side}
        {terminal}
      </div>
    </div>
  );
}

const VIEWS = ["chat", "todo", "terminal"] as const;

interface TabsProps {
  session: Session;
  handle: ChatHandle;
  chat: ReactNode;
  terminal: ReactNode;
}

function InTabs({ session, handle, chat, terminal }: TabsProps) {
  const [view, setView] = useAddress("view");
  const { todos } = handle.chat;
  const words = {
    chat: "Chat",
    todo: todos.length === 0 ? "To do" : `To do ${todos.filter(({ status }) => status === "completed").length}/${todos.length}`,
    terminal: "Terminal",
  };
  const panes = { chat, todo: <ChatSide session={session} chat={handle.chat} />, terminal };
  return (
    <Tabs.Root value={VIEWS.find((each) => each === view) ?? "chat"} onValueChange={(next) => setView(next === "chat" ? "" : next)} className="flex min-h-0 flex-1 flex-col">
      <Tabs.List aria-label="Views" className="flex shrink-0 border-b border-line bg-surface px-1">
        {VIEWS.map((each) => (
          <Tabs.Trigger
            key={each}
            value={each}
            className="numbers -mb-px h-9 flex-1 border-b-2 border-transparent px-3 text-sm font-medium text-soft hover:text-ink focus-visible:-outline-offset-2 data-[state=active]:border-accent-text data-[state=active]:text-ink pointer-coarse:h-11"
          >
            {words[each]}
          </Tabs.Trigger>
        ))}
      </Tabs.List>
      {VIEWS.map((each) => (
        <Tabs.Content key={each} value={each} tabIndex={-1} className="flex min-h-0 flex-1 flex-col outline-none data-[state=inactive]:hidden">
          {panes[each]}
        </Tabs.Content>
      ))}
    </Tabs.Root>
  );
}
