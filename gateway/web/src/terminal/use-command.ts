import { useEffect } from "react";
import { copyText } from "../components/copy";
import { useTell } from "../components/toast";
import { showsOnly } from "./tab";
import type { TerminalHandle } from "./use-terminal";

/** Who asked has looked away after this time, in milliseconds. */
const PATIENCE = 10_000;

/** Puts a command into the terminal's line as soon as there is one; where there is none to be had, into the clipboard. */
export function useCommand({ status, connection, screen }: TerminalHandle, command: string | undefined, onDone: () => void): void {
  const tell = useTell();
  const { link, tabs, active, viewOnly, exit, isShown } = status;
  useEffect(() => {
    if (command === undefined) return;
    const instead = async (why: string): Promise<void> => {
      const copied = await copyText(command);
      tell(copied ? `${why} The command is in your clipboard.` : why, "bad");
    };
    const giveUp = (why: string): void => {
      onDone();
      void instead(why);
    };
    // The agent's own terminal takes no command.
    const isAgents = showsOnly(tabs, active);
    const shell = tabs.find(({ agent, alive }) => !agent && alive)?.tab;
    if (isAgents && link === "live" && shell === undefined) return giveUp("No shell is open.");
    if (isAgents && shell !== undefined) connection?.select(shell);
    // Before it is shown, nobody knows whether a program fills the screen.
    if (isAgents || screen === undefined || link !== "live" || (!isShown && !viewOnly && exit === undefined)) {
      const timer = setTimeout(() => giveUp("The terminal is not connected."), PATIENCE);
      return () => clearTimeout(timer);
    }
    if (viewOnly) return giveUp("You may only watch this terminal.");
    if (exit !== undefined) return giveUp("The shell has ended.");
    onDone();
    void screen.typeCommand(command).then((typed) => (typed ? undefined : instead("The terminal does not wait at a prompt that would take it whole.")));
  }, [command, connection, screen, link, tabs, active, viewOnly, exit, isShown, onDone, tell]);
}
