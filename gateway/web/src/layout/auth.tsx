// Who is logged in. When a login ends, the page stays as it is and asks in place.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, use, useCallback, useEffect, useMemo, useState, type ReactNode } from "react";
import { Navigate, useLocation } from "react-router";
import { api, ApiError, whenLoginIsNeeded } from "../api/client";
import { LiveLists } from "../api/live";
import type { Me } from "../api/types";
import { Button } from "../components/button";
import { Dialog, DialogBody } from "../components/dialog";
import { LoginForm } from "./login-form";

interface Auth {
  me: Me;
  live: LiveLists;
  /** Asks for a login in place. */
  askForLogin: () => void;
  /** Grows with every login, so that what waits for one can go on. */
  logins: number;
}

const AuthContext = createContext<Auth | undefined>(undefined);

export function useAuth(): Auth {
  const auth = use(AuthContext);
  if (auth === undefined) throw new Error("useAuth outside of AuthGate");
  return auth;
}

/** Lets in who is logged in; sends others to the login page. */
export function AuthGate({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const location = useLocation();
  const [expired, setExpired] = useState(false);
  const [logins, setLogins] = useState(0);
  const live = useMemo(() => new LiveLists(queries), [queries]);
  const me = useQuery({ queryKey: ["me"], queryFn: api.me, retry: retryUnlessRefused });
  const askForLogin = useCallback(() => setExpired(true), []);
  const known = me.data !== undefined;

  useEffect(() => whenLoginIsNeeded(askForLogin), [askForLogin]);
  useEffect(() => {
    if (!known) return;
    live.start();
    return () => live.stop();
  }, [known, live]);

  if (me.data === undefined) {
    if (me.error instanceof ApiError && me.error.status === 401) {
      const next = location.pathname + location.search;
      return <Navigate to={next === "/" ? "/login" : `/login?next=${encodeURIComponent(next)}`} replace />;
    }
    return me.error === null ? null : <Unreachable error={me.error} retry={() => void me.refetch()} />;
  }

  const onLogin = (): void => {
    setExpired(false);
    setLogins((count) => count + 1);
    live.retry();
    void queries.invalidateQueries();
  };
  return (
    <AuthContext value={{ me: me.data, live, askForLogin, logins }}>
      {children}
      <Dialog open={expired} onClose={() => setExpired(false)} title="Log in again" description="Your login has ended. Nothing on this page is lost.">
        <DialogBody>
          <LoginForm onDone={onLogin} />
        </DialogBody>
      </Dialog>
    </AuthContext>
  );
}

function retryUnlessRefused(count: number, error: Error): boolean {
  return count < 3 && !(error instanceof ApiError && error.status >= 400 && error.status < 500);
}

function Unreachable({ error, retry }: { error: Error; retry: () => void }) {
  return (
    <main className="grid min-h-dvh place-content-center justify-items-center gap-3 p-6 text-center">
      <h1 className="text-base font-semibold">The gateway cannot be used now</h1>
      <p className="max-w-sm text-soft">{error.message}</p>
      <Button onClick={retry}>Try again</Button>
    </main>
  );
}
