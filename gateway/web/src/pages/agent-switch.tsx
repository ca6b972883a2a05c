import { Bot, BotOff } from "lucide-react";
import { useState } from "react";
import { useAgent } from "../api/sessions";
import type { Session } from "../api/types";
import { IconButton } from "../components/button";
import { Confirm } from "../components/confirm";
import { useTell } from "../components/toast";
import { useAuth } from "../layout/auth";
import { switchesAgent } from "../session/state";

const EXPOSED =
  "The agent works as the same user as your shells. Those that are open keep the credentials of this session, and it could read them there: close them first if that matters.";

/** Starts the agent of a terminal in the workspace that is there, or ends it. */
export function AgentSwitch({ session }: { session: Session }) {
  const tell = useTell();
  const { me } = useAuth();
  const [asking, setAsking] = useState(false);
  const works = session.spec.agentState === "On";
  const { mutate, isPending, error, reset } = useAgent(works ? "Off" : "On");
  if (!switchesAgent(session, me.chatEnabled)) return null;
  const Icon = works ? BotOff : Bot;
  const exposes = !works && session.spec.credentialsRef !== undefined;
  const turn = () => mutate(session, { onError: (failed) => tell(failed.message, "bad") });
  const leave = () => {
    setAsking(false);
    reset();
  };
  return (
    <>
      <IconButton label={works ? "Stop the agent" : "Start the agent"} disabled={isPending} onClick={exposes ? () => setAsking(true) : turn}>
        <Icon className="size-4" aria-hidden />
      </IconButton>
      {asking && (
        <Confirm
          title="Start the agent?"
          description={EXPOSED}
          stay="Not now"
          act="Start it"
          busy={isPending}
          error={error}
          onAct={() => mutate(session, { onSuccess: leave })}
          onClose={leave}
        />
      )}
    </>
  );
}
