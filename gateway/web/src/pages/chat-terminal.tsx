import { useCallback } from "react";
import type { Session } from "../api/types";
import { ConnectionMark } from "../link/connection-mark";
import { backlogOf } from "../link/words";
import { stateOf } from "../session/state";
import { TerminalPane } from "../terminal/terminal-pane";
import { useCommand } from "../terminal/use-command";
import { useTerminal } from "../terminal/use-terminal";

interface Props {
  session: Session;
  starting: boolean;
  onStart: () => void;
  /** To be put into the shell's line. */
  command: string | undefined;
  onCommandTaken: () => void;
}

/** A shell in the workspace that the agent works in. */
export function ChatTerminal({ session, starting, onStart, command, onCommandTaken }: Props) {
  const leave = useCallback(() => document.querySelector<HTMLElement>("[data-composer], [role=tab][data-state=active]")?.focus(), []);
  const terminal = useTerminal(session, leave, false);
  useCommand(terminal, command, onCommandTaken);
  return (
    <section aria-label="Terminal" className="flex min-h-0 flex-1 flex-col">
      <div className="flex h-8 shrink-0 items-center gap-3 border-b border-line bg-surface px-3">
        <h2 className="text-sm font-semibold">Terminal</h2>
        <ConnectionMark status={terminal.status} state={stateOf(session)} backlog={backlogOf(terminal.status.keysWaiting, "key")} />
      </div>
      <TerminalPane session={session} terminal={terminal} starting={starting} onStart={onStart} />
    </section>
  );
}
