import type { ReactNode } from "react";
import type { Session } from "../api/types";
import { Button } from "../components/button";
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
      <Bar text={status.why ?? "The connection ended."}>
        <Button onClick={() => connection?.retry()}>Try again</Button>
      </Bar>
    );
  }
  if (status.link === "login") {
    return (
      <Bar text="Your login has ended. The shell goes on meanwhile.">
        <Button onClick={onLogin}>Log in</Button>
      </Bar>
    );
  }
  if (status.link === "held" && status.established) {
    if (state === "stopped") {
      return (
        <Bar text={stopReason(session)}>
          <Button look="primary" disabled={starting} onClick={onStart}>
            {starting ? "Starting…" : "Start again"}
          </Button>
        </Bar>
      );
    }
    return <Bar text={headline(session) ?? "The session is not ready."} />;
  }
  if (status.exit !== undefined && status.link === "live") {
    const { code, signal } = status.exit;
    return (
      <Bar text={signal > 0 ? `The shell was ended by signal ${signal}.` : `The shell ended with code ${code}.`}>
        {!status.viewOnly && (
          <Button look="primary" autoFocus disabled={status.opening} onClick={() => connection?.openShell()}>
            {status.opening ? "Opening…" : "New shell"}
          </Button>
        )}
      </Bar>
    );
  }
  const backlog = backlogOf(status.keysWaiting, "key");
  if (backlog !== undefined) {
    return (
      <Bar text={`${backlog} will be sent when the connection is back.`}>
        <Button onClick={() => connection?.discardKeys()}>Discard</Button>
      </Bar>
    );
  }
  return null;
}

function Bar({ text, children }: { text: string; children?: ReactNode }) {
  return (
    <div role="status" className="flex min-h-11 flex-wrap items-center gap-x-3 gap-y-2 border-t border-line bg-surface px-3 py-1.5 text-sm">
      <p className="min-w-0 flex-1 basis-56 break-words">{text}</p>
      {children}
    </div>
  );
}
