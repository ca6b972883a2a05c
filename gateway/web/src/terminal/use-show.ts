import { useEffect } from "react";
import { useTell } from "../components/toast";
import { agentsTab } from "./tab";
import type { TerminalHandle } from "./use-terminal";

/** Who asked has looked away after this time, in milliseconds. */
const PATIENCE = 10_000;

const BELOW = "What it printed stands below the call.";

/** Goes to the line of the agent's terminal that begins so, as soon as it is there. */
export function useShow({ status, connection, screen }: TerminalHandle, head: string | undefined, onDone: () => void): void {
  const tell = useTell();
  const { link, tabs, active, exit, isShown } = status;
  useEffect(() => {
    if (head === undefined) return;
    const giveUp = (why: string): void => {
      onDone();
      tell(why, "bad");
    };
    const agents = agentsTab(tabs);
    if (link === "live" && agents === undefined) return giveUp(`The agent's terminal is closed until it runs something again. ${BELOW}`);
    if (agents !== undefined && agents !== active) connection?.select(agents);
    if (screen === undefined || agents !== active || (!isShown && exit === undefined)) {
      const timer = setTimeout(() => giveUp("The terminal is not connected."), PATIENCE);
      return () => clearTimeout(timer);
    }
    onDone();
    if (!screen.goTo(head)) tell(`The agent's terminal does not hold it any more. ${BELOW}`, "bad");
  }, [head, connection, screen, link, tabs, active, exit, isShown, onDone, tell]);
}
