import { Link, useParams } from "react-router";
import { useSession } from "../api/sessions";
import { buttonLook } from "../components/button";
import { useTitle } from "../layout/waiting";
import { hasAgent } from "../session/state";
import { ChatWorkplace } from "./chat-workplace";
import { TerminalWorkplace } from "./terminal-workplace";

export default function SessionPage() {
  const { namespace = "", name = "" } = useParams();
  const { session, known, error } = useSession(namespace, name);
  if (session !== undefined) {
    const Workplace = hasAgent(session) ? ChatWorkplace : TerminalWorkplace;
    return <Workplace key={session.uid} session={session} />;
  }
  return <Missing namespace={namespace} name={name} known={known} error={error} />;
}

interface MissingProps {
  namespace: string;
  name: string;
  known: boolean;
  error: Error | null;
}

function Missing({ namespace, name, known, error }: MissingProps) {
  useTitle(name);
  if (!known && error === null) return <p role="status" className="p-4 text-soft">Looking for {name}…</p>;
  return (
    <section className="grid h-full place-content-center justify-items-center gap-3 p-6 text-center">
      <h1 className="text-base font-semibold">{known ? `There is no session ${name} in ${namespace}` : "The session cannot be shown now"}</h1>
      <p className="max-w-sm text-soft">{known ? "It was deleted, or you may not see it." : error?.message}</p>
      <Link to="/sessions" className={buttonLook()}>
        All sessions
      </Link>
    </section>
  );
}
