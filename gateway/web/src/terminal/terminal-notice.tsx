import type { Session } from "../api/types";
import { Button } from "../components/button";
import { NoticeBar } from "../components/notice-bar";
import { backlogOf } from "../link/words";
import { headline, stateOf, stopReason } from "../session/state";
import type { Connection } from "./connection";
import type { Status } from "./machine";

interface Props {
  session: Session;
  status: Status;
  connection: Connection | undefined;
  starting: boolean;
  onStart: () => void;
  onLogin: () => void;
}

/** A line under the terminal when there is something to decide. What is on the screen stays readable. */
export function TerminalNotice({ session, status, connection, starting, onStart, onLogin }: Props) {
  const state = stateOf(session);
  if (status.link === "halted") {
    return (
      <NoticeBar text={status.why ?? "The connection ended."}>
        <Button onClick={() => connection?.retry()}>Try again</Button>
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
  if (status.exit !== undefined && status.link === "live") {
    const { code, signal } = status.exit;
    return (
      <NoticeBar text={signal > 0 ? `The shell was ended by signal ${signal}.` : `The shell ended with code ${code}.`}>
        {!status.viewOnly && (
          <Button look="primary" autoFocus disabled={status.opening} onClick={() => connection?.openShell()}>
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
  return null;
}
