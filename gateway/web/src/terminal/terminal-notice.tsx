import { useState } from "react";
import { Link } from "react-router";
import type { Session } from "../api/types";
import { Button, buttonLook } from "../components/button";
import { copyText } from "../components/copy";
import { NoticeBar } from "../components/notice-bar";
import { backlogOf, errorWords } from "../link/words";
import { headline, stateOf, stopReason } from "../session/state";
import { showsOnly } from "./tab";
import type { TerminalHandle } from "./use-terminal";

interface Props {
  session: Session;
  terminal: TerminalHandle;
  starting: boolean;
  onStart: () => void;
  onLogin: () => void;
  /** What a program would like to put on the clipboard. */
  offer: string | undefined;
  onOfferDone: () => void;
}

/** Lines in a corner of the terminal when there is something to know or to decide. What is on the screen stays as it is. */
export function TerminalNotice({ offer, onOfferDone, ...props }: Props) {
  const { restart, onRestartRead } = props.terminal;
  return (
    <div className="w-full overflow-hidden rounded-lg shadow-float empty:hidden *:first:border-t-0">
      {restart !== undefined && (
        <NoticeBar text={`${restart} What was there before stands above: scroll up to read it.`}>
          <Button onClick={onRestartRead}>Dismiss</Button>
        </NoticeBar>
      )}
      {offer !== undefined && (
        <NoticeBar text={`A program in the terminal would like to put ${offer.length === 1 ? "1 character" : `${offer.length} characters`} on your clipboard.`}>
          <Button onClick={onOfferDone}>Ignore</Button>
          <Button
            look="primary"
            onClick={() => {
              void copyText(offer);
              onOfferDone();
            }}
          >
            Copy
          </Button>
        </NoticeBar>
      )}
      <Standing {...props} />
    </div>
  );
}

function Standing({ session, terminal: { status, connection }, starting, onStart, onLogin }: Omit<Props, "offer" | "onOfferDone">) {
  const state = stateOf(session);
  if (status.link === "halted") {
    return (
      <NoticeBar text={status.error === undefined ? "The connection ended." : errorWords(status.error)}>
        {status.error?.recovery === "recreate" && (
          <Link to="/sessions?new" className={buttonLook("primary")}>
            New session
          </Link>
        )}
        <Button onClick={() => connection?.retry()}>{status.error?.button ?? "Try again"}</Button>
      </NoticeBar>
    );
  }
  if (status.link === "login") {
    return (
      <NoticeBar text="Your login has ended. The shell goes on meanwhile.">
        <Button onClick={onLogin}>Log in</Button>
      </NoticeBar>
    );
  }
  if (status.link === "held" && status.established) {
    if (state === "stopped") {
      return (
        <NoticeBar text={stopReason(session)}>
          <Button look="primary" disabled={starting} onClick={onStart}>
            {starting ? "Starting…" : "Start again"}
          </Button>
        </NoticeBar>
      );
    }
    return <NoticeBar text={headline(session) ?? "The session is not ready."} />;
  }
  if (status.gone !== undefined && status.link === "live") return <Gone terminal={{ status, connection }} />;
  if (status.takenOver && status.link === "live") {
    return (
      <NoticeBar text="Another window types here alone. You can watch.">
        <Button look="primary" onClick={() => connection?.takeBack(false)}>
          Take back
        </Button>
      </NoticeBar>
    );
  }
  if (status.exit !== undefined && status.link === "live") {
    if (showsOnly(status.tabs, status.active)) return <NoticeBar text="The agent's terminal was closed. The agent's next command opens another one." />;
    const { code, signal } = status.exit;
    return (
      <NoticeBar text={signal > 0 ? `The shell was ended by signal ${signal}.` : `The shell ended with code ${code}.`}>
        {!status.viewOnly && (
          <Button look="primary" autoFocus disabled={status.opening} onClick={() => connection?.open(true)}>
            {status.opening ? "Opening…" : "New shell"}
          </Button>
        )}
      </NoticeBar>
    );
  }
  const backlog = backlogOf(status.keysWaiting, "key");
  if (backlog !== undefined) {
    return (
      <NoticeBar text={`${backlog} will be sent when the connection is back.`}>
        <Button onClick={() => connection?.discardKeys()}>Discard</Button>
      </NoticeBar>
    );
  }
  return status.viewOnly ? <ViewOnly /> : null;
}

/** Stands for as long as one watches, unless it is in the way: the mark of the connection says it, too. */
function ViewOnly() {
  const [read, setRead] = useState(false);
  if (read) return null;
  return (
    <NoticeBar text="View only: nothing that you type is sent. To type needs the right to create sessions/terminal.">
      <Button onClick={() => setRead(true)}>Dismiss</Button>
    </NoticeBar>
  );
}

/** What is on the screen is all that is left. */
function Gone({ terminal: { status, connection } }: { terminal: Pick<TerminalHandle, "status" | "connection"> }) {
  const text = status.gone === "restart" ? "The session was restarted: this terminal has ended, and what is shown is from before." : "This terminal was closed elsewhere.";
  return (
    <NoticeBar text={text}>
      <Button onClick={() => status.active !== undefined && connection?.close(status.active)}>Close</Button>
      {!status.viewOnly && (
        <Button look="primary" disabled={status.opening} onClick={() => connection?.open(true)}>
          {status.opening ? "Opening…" : "New shell"}
        </Button>
      )}
    </NoticeBar>
  );
}
