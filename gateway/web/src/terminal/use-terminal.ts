import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import type { Session } from "../api/types";
import { useTell } from "../components/toast";
import { useAuth } from "../layout/auth";
import { linkStateOf } from "../link/session";
import { stateOf } from "../session/state";
import { Connection } from "./connection";
import { BEFORE, type Status } from "./machine";
import { remember, remembered } from "./remember";
import { restartWords } from "./restart";
import type { TerminalScreen } from "./screen";

export interface TerminalHandle {
  status: Status;
  connection: Connection | undefined;
  /** The screen that is in sight. */
  screen: TerminalScreen | undefined;
  screens: ReadonlyMap<number, TerminalScreen>;
  /** A tab's screen is there, or is gone. */
  onScreen: (tab: number, screen: TerminalScreen | undefined) => void;
  /** The runtime was replaced: when, and why. */
  restart: string | undefined;
  onRestartRead: () => void;
}

/** The terminals of a session and their one connection, for as long as they are on the page. */
export function useTerminal(session: Session): TerminalHandle {
  const { askForLogin, logins } = useAuth();
  const tell = useTell();
  const [connection, setConnection] = useState<Connection>();
  const [screens, setScreens] = useState<ReadonlyMap<number, TerminalScreen>>(new Map());
  const [restart, setRestart] = useState<string>();
  const state = linkStateOf(stateOf(session));
  const now = useRef(session);
  useEffect(() => {
    now.current = session;
  }, [session]);
  // What the connection is made with; later changes reach it through the effects below.
  const first = useRef({ session, state, askForLogin, tell });

  useEffect(() => {
    const { session: at, state: initial, askForLogin: onLogin, tell: onNotice } = first.current;
    const made = new Connection({
      session: at,
      state: initial,
      remembered: remembered(at.uid),
      onLogin,
      onNotice: (text) => onNotice(text, "bad"),
      onRestart: (lostAt) => {
        const words = restartWords(now.current, lostAt, Date.now());
        setRestart(words);
        return words;
      },
    });
    setConnection(made);
    return () => {
      made.stop();
      setConnection(undefined);
    };
  }, []);

  useEffect(() => connection?.sessionIs(state), [connection, state]);
  useEffect(() => {
    if (logins > 0) connection?.loggedIn();
  }, [connection, logins]);

  const subscribe = useCallback((listener: () => void) => connection?.subscribe(listener) ?? (() => undefined), [connection]);
  const status = useSyncExternalStore(subscribe, () => connection?.status ?? BEFORE);
  const { tabs, active, established } = status;
  useEffect(() => {
    if (established) remember(session.uid, tabs, active);
  }, [established, session.uid, tabs, active]);

  const onScreen = useCallback((tab: number, screen: TerminalScreen | undefined) => {
    setScreens((all) => {
      const next = new Map(all);
      if (screen === undefined) next.delete(tab);
      else next.set(tab, screen);
      return next;
    });
  }, []);
  const onRestartRead = useCallback(() => setRestart(undefined), []);
  const screen = active === undefined ? undefined : screens.get(active);
  return useMemo(() => ({ status, connection, screen, screens, onScreen, restart, onRestartRead }), [status, connection, screen, screens, onScreen, restart, onRestartRead]);
}
