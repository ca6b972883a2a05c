import { useCallback, useState } from "react";
import type { Session } from "../api/types";
import { ConnectionMark } from "../link/connection-mark";
import { backlogOf } from "../link/words";
import { stateOf } from "../session/state";
import { TerminalPane } from "../terminal/terminal-pane";
import { TerminalTabs } from "../terminal/terminal-tabs";
import { useCommand } from "../terminal/use-command";
import { useShow } from "../terminal/use-show";
import { useTerminal } from "../terminal/use-terminal";
import type { ShellWish } from "./chat-shell";

interface Props {
  session: Session;
  starting: boolean;
  onStart: () => void;
  wish: ShellWish | undefined;
  onWishDone: () => void;
}

/** Shells in the workspace that the agent works in, and what the agent runs. */
export function ChatTerminal({ session, starting, onStart, wish, onWishDone }: Props) {
  const leave = useCallback(() => document.querySelector<HTMLElement>("[data-composer], [role=tab][data-state=active]")?.focus(), []);
  const [finding, setFinding] = useState(false);
  const terminal = useTerminal(session);
  useCommand(terminal, wish?.do === "type" ? wish.command : undefined, onWishDone);
  useShow(terminal, wish?.do === "show" ? wish.head : undefined, onWishDone);
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
