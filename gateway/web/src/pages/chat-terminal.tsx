import { useCallback, useState } from "react";
import type { Session } from "../api/types";
import { ConnectionMark } from "../link/connection-mark";
import { backlogOf } from "../link/words";
import { stateOf } from "../session/state";
import { TerminalPane } from "../terminal/terminal-pane";
import { TerminalTabs } from "../terminal/terminal-tabs";
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

/** Shells in the workspace that the agent works in. */
export function ChatTerminal({ session, starting, onStart, command, onCommandTaken }: Props) {
  const leave = useCallback(() => document.querySelector<HTMLElement>("[data-composer], [role=tab][data-state=active]")?.focus(), []);
  const [finding, setFinding] = useState(false);
  const terminal = useTerminal(session);
  useCommand(terminal, command, onCommandTaken);
  return (
    <section aria-label="Terminal" className="flex min-h-0 flex-1 flex-col">
      <div className="flex h-8 shrink-0 items-center gap-3 border-b border-line bg-surface pr-1 pl-3 pointer-coarse:h-11">
        <h2 className="text-sm font-semibold">Terminal</h2>
        <ConnectionMark status={terminal.status} state={stateOf(session)} backlog={backlogOf(terminal.status.keysWaiting, "key")} />
        <TerminalTabs terminal={terminal} onFind={() => setFinding(true)} />
      </div>
      <TerminalPane session={session} terminal={terminal} starting={starting} onStart={onStart} takesKeys={false} finding={finding} onFind={setFinding} onLeave={leave} />
    </section>
  );
}
