import { Eye, EyeOff } from "lucide-react";
import { useState, type SubmitEvent } from "react";
import { api } from "../api/client";
import { Button, IconButton } from "../components/button";
import { TextField } from "../components/field";

/** Asks for a Kubernetes token. What was typed stays until it works. */
export function LoginForm({ onDone }: { onDone: () => void }) {
  const [token, setToken] = useState("");
  const [shown, setShown] = useState(false);
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);

  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (token.trim() === "") {
      setError("Paste a token first.");
      return;
    }
    setBusy(true);
    setError(undefined);
    try {
      await api.login(token.trim());
      onDone();
    } catch (refused) {
      setError(refused instanceof Error ? refused.message : String(refused));
    } finally {
      setBusy(false);
    }
  };

  return (
    <form onSubmit={(event) => void submit(event)} className="grid gap-4">
      <div className="relative">
        <TextField
          label="Kubernetes token"
          type={shown ? "text" : "password"}
          name="token"
          autoFocus
          code
          value={token}
          error={error}
          className="h-9 pr-10"
          onChange={(event) => setToken(event.target.value)}
          hint={
            <>
              For example from <code className="font-mono">kubectl create token &lt;name&gt;</code>
            </>
          }
        />
        <IconButton label={shown ? "Hide token" : "Show token"} onClick={() => setShown(!shown)} className="absolute top-[1.625rem] right-0.5 pointer-coarse:size-11">
          {shown ? <EyeOff className="size-4" aria-hidden /> : <Eye className="size-4" aria-hidden />}
        </IconButton>
      </div>
      <Button type="submit" look="primary" disabled={busy}>
        {busy ? "Logging in…" : "Log in"}
      </Button>
    </form>
  );
}
