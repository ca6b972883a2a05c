import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { Logo } from "../layout/logo";
import { LoginForm } from "../layout/login-form";

export function LoginPage() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [params] = useSearchParams();
  useEffect(() => {
    document.title = "Log in · Fabrica";
  }, []);

  const onDone = (): void => {
    const next = params.get("next") ?? "/sessions";
    // Only a path of this page: an address of elsewhere would make the login a way to it.
    const safe = /^\/(?![/\\])/.test(next) ? next : "/sessions";
    void queries.resetQueries().then(() => navigate(safe, { replace: true }));
  };

  return (
    <main className="grid min-h-dvh place-items-center bg-canvas p-4">
      <div className="w-full max-w-sm">
        <div className="mb-6 flex flex-col items-center gap-3 text-center">
          <Logo className="size-11" />
          <div>
            <h1 className="text-lg font-semibold tracking-tight">Log in to Fabrica</h1>
            <p className="text-soft">Terminals that stay, in your own cluster</p>
          </div>
        </div>
        <div className="rounded-xl border border-line bg-surface p-5">
          <LoginForm onDone={onDone} />
        </div>
        <p className="mt-4 text-center text-xs text-faint">Here you may do what this token may do with kubectl.</p>
      </div>
    </main>
  );
}
