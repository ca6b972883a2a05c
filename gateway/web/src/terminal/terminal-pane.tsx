import type { Session } from "../api/types";
import { useAuth } from "../layout/auth";
import { StartProgress } from "../link/start-progress";
import { TerminalNotice } from "./terminal-notice";
import type { TerminalHandle } from "./use-terminal";

interface Props {
  session: Session;
  terminal: TerminalHandle;
  starting: boolean;
  onStart: () => void;
}

/** The terminal's screen, what stands there before it does, and what there is to decide. */
export function TerminalPane({ session, terminal: { status, connection, place }, starting, onStart }: Props) {
  const { askForLogin } = useAuth();
  return (
    <div className="flex min-h-0 min-w-0 flex-1 flex-col">
      <div className="relative min-h-0 flex-1 overflow-hidden bg-terminal" role="region" aria-label="Terminal. Control Shift Up leaves it.">
        <div ref={place} className="absolute inset-0 pt-2 pl-3" />
        {!status.established && (
          <div className="absolute inset-0 z-10 bg-terminal">
            <StartProgress session={session} last="Opening the terminal" starting={starting} onStart={onStart} />
          </div>
        )}
      </div>
      <TerminalNotice session={session} status={status} connection={connection} starting={starting} onStart={onStart} onLogin={askForLogin} />
    </div>
  );
}
