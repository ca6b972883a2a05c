import { useEffect, useState, type KeyboardEvent } from "react";
import type { Session } from "../api/types";
import type { Asked } from "../chat/entries";
import type { ChatHandle } from "../chat/use-chat";
import { Button } from "../components/button";
import { NoticeBar } from "../components/notice-bar";
import { useAuth } from "../layout/auth";
import { StartProgress } from "../link/start-progress";
import { errorWords } from "../link/words";
import { agentTrouble, headline, stateOf, stopReason } from "../session/state";
import { ChatComposer } from "./chat-composer";
import { ChatLog } from "./chat-log";
import { ChatQuestion } from "./chat-question";

interface Props {
  session: Session;
  handle: ChatHandle;
  questions: readonly Asked[];
  searching: boolean;
  starting: boolean;
  onStart: () => void;
}

/** After the first Escape the second interrupts within this time, in milliseconds. */
const TWICE = 3_000;

/** The conversation: what was said, what is asked, and where one speaks. */
export function ChatPane({ session, handle, questions, searching, starting, onStart }: Props) {
  const { chat, status, connection } = handle;
  const [warned, setWarned] = useState(0);
  const mayInterrupt = chat.maySpeak && status.link === "live" && (chat.agent.state === "working" || chat.agent.state === "waiting");
  useEffect(() => {
    if (warned === 0) return;
    const timer = setTimeout(() => setWarned(0), TWICE);
    return () => clearTimeout(timer);
  }, [warned]);
  const interrupt = (): void => {
    setWarned(0);
    connection?.interrupt();
  };
  const onKey = (event: KeyboardEvent): void => {
    // In the search it empties the search.
    const isElsewhere = event.nativeEvent.isComposing || (event.target as Element).matches("[type=search]");
    if (event.key !== "Escape" || isElsewhere || !mayInterrupt) return;
    if (warned > 0) interrupt();
    else setWarned(event.timeStamp);
  };
  return (
    <section aria-label="Chat" onKeyDown={onKey} className="flex min-h-0 flex-1 flex-col">
      <h2 className="sr-only">Chat</h2>
      {chat.caughtUp || status.established ? (
        <ChatLog session={session} handle={handle} searching={searching} />
      ) : (
        <div className="min-h-0 flex-1 bg-canvas">
          <StartProgress session={session} last={agentTrouble(session)?.why ?? "Opening the chat"} failed={agentTrouble(session)?.failed} starting={starting} onStart={onStart} />
        </div>
      )}
      {chat.agent.state === "failed" && status.link === "live" && (
        <NoticeBar text={chat.agent.message ?? "The agent has failed and does not start again by itself."}>
          {chat.maySpeak && (
            <Button look="primary" onClick={() => connection?.say("Go on where you stopped.", false)}>
              Start the agent again
            </Button>
          )}
        </NoticeBar>
      )}
      <ConnectionNotice session={session} handle={handle} starting={starting} onStart={onStart} />
      {questions.length > 0 && <ChatQuestion session={session} handle={handle} questions={questions} />}
      <ChatComposer session={session} handle={handle} mayInterrupt={mayInterrupt} warned={mayInterrupt && warned > 0} onInterrupt={interrupt} onForgetWarning={() => setWarned(0)} />
    </section>
  );
}

/** What stands between the reader and what is new. What is there stays readable. */
function ConnectionNotice({ session, handle: { status, connection }, starting, onStart }: Omit<Props, "questions" | "searching">) {
  const { askForLogin } = useAuth();
  if (status.link === "halted") {
    return (
      <NoticeBar text={status.error === undefined ? "The connection ended." : errorWords(status.error)}>
        <Button onClick={() => connection?.retry()}>Try again</Button>
      </NoticeBar>
    );
  }
  if (status.link === "login") {
    return (
      <NoticeBar text="Your login has ended. The agent goes on meanwhile.">
        <Button onClick={askForLogin}>Log in</Button>
      </NoticeBar>
    );
  }
  if (status.link !== "held" || !status.established) return null;
  if (stateOf(session) !== "stopped") return <NoticeBar text={headline(session) ?? agentTrouble(session)?.why ?? "The session is not ready."} />;
  return (
    <NoticeBar text={stopReason(session)}>
      <Button look="primary" disabled={starting} onClick={onStart}>
        {starting ? "Starting…" : "Start again"}
      </Button>
    </NoticeBar>
  );
}
