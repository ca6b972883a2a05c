import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { Session } from "../api/types";
import { useTell } from "../components/toast";
import { useAuth } from "../layout/auth";
import { useTheme } from "../layout/theme";
import { BEFORE as UNLINKED } from "../link/link";
import { linkStateOf } from "../link/session";
import { stateOf } from "../session/state";
import { Connection } from "./connection";
import type { Status } from "./machine";
import { TerminalScreen } from "./screen";

const BEFORE: Status = { ...UNLINKED, keysWaiting: 0, viewOnly: false, exit: undefined, opening: false, isShown: false };

export interface TerminalHandle {
  status: Status;
  connection: Connection | undefined;
  screen: TerminalScreen | undefined;
  place: (element: HTMLElement | null) => void;
}

/** One terminal and its connection, for as long as its place is on the page. `takesKeys`: what is typed is for it from the beginning. */
export function useTerminal(session: Session, leave: () => void, takesKeys: boolean): TerminalHandle {
  const { askForLogin, logins } = useAuth();
  const tell = useTell();
  const theme = useTheme();
  const [place, setPlace] = useState<HTMLElement | null>(null);
  const [parts, setParts] = useState<{ connection: Connection; screen: TerminalScreen }>();
  const state = linkStateOf(stateOf(session));
  // What the terminal is made with; later changes reach it through the effects below.
  const first = useRef({ session, state, theme, leave, takesKeys, askForLogin, tell });

  useEffect(() => {
    if (place === null) return;
    const { session: at, state: initial, theme: look, leave: onLeave, takesKeys: focuses, askForLogin: onLogin, tell: onNotice } = first.current;
    const parts: { connection?: Connection } = {};
    const screen = new TerminalScreen({
      place,
      theme: look,
      onInput: (text, auto) => parts.connection?.input(text, auto),
      onBytes: (bytes) => parts.connection?.inputBytes(bytes),
      onSize: (size) => parts.connection?.resize(size),
      onTitle: () => undefined,
      onLeave,
    });
    const connection = new Connection({ session: at, state: initial, size: screen.size, screen, onLogin, onNotice: (text) => onNotice(text, "bad") });
    parts.connection = connection;
    setParts({ connection, screen });
    connection.start();
    if (focuses) screen.focus();
    return () => {
      connection.stop();
      screen.dispose();
      setParts(undefined);
    };
  }, [place]);

  const connection = parts?.connection;
  useEffect(() => connection?.sessionIs(state), [connection, state]);
  useEffect(() => parts?.screen.setTheme(theme), [parts, theme]);
  useEffect(() => {
    if (logins > 0) connection?.loggedIn();
  }, [connection, logins]);

  const subscribe = useCallback((listener: () => void) => connection?.subscribe(listener) ?? (() => undefined), [connection]);
  const status = useSyncExternalStore(subscribe, () => connection?.status ?? BEFORE);
  return { status, connection, screen: parts?.screen, place: setPlace };
}
