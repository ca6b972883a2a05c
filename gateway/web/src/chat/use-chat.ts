import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { Session } from "../api/types";
import { useAuth } from "../layout/auth";
import { BEFORE as UNLINKED } from "../link/link";
import { chatStateOf } from "../link/session";
import { Connection } from "./connection";
import type { Status } from "./machine";
import { EMPTY, type Chat } from "./state";

const BEFORE: Status = { ...UNLINKED, outbox: [], answers: [], beginning: undefined };

export interface ChatHandle {
  chat: Chat;
  status: Status;
  connection: Connection | undefined;
}

/** A session's chat and its connection, for as long as its page is open. */
export function useChat(session: Session): ChatHandle {
  const { askForLogin, logins } = useAuth();
  const state = chatStateOf(session);
  const [connection, setConnection] = useState<Connection>();
  // What the connection is made with; later changes reach it through the effects below.
  const first = useRef({ session, state, onLogin: askForLogin });

  useEffect(() => {
    const made = new Connection(first.current);
    setConnection(made);
    made.start();
    return () => made.stop();
  }, []);
  useEffect(() => connection?.sessionIs(state), [connection, state]);
  useEffect(() => {
    if (logins > 0) connection?.loggedIn();
  }, [connection, logins]);

  const subscribe = useCallback((listener: () => void) => connection?.subscribe(listener) ?? (() => undefined), [connection]);
  const status = useSyncExternalStore(subscribe, () => connection?.status ?? BEFORE);
  const chat = useSyncExternalStore(subscribe, () => connection?.chat ?? EMPTY);
  return { chat, status, connection };
}
