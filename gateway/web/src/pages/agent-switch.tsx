import { Bot, BotOff } from "lucide-react";
import { useAgent } from "../api/sessions";
import type { Session } from "../api/types";
import { IconButton } from "../components/button";
import { useTell } from "../components/toast";
import { useAuth } from "../layout/auth";
import { switchesAgent } from "../session/state";

/** Starts the agent of a terminal in the workspace that is there, or ends it. */
export function AgentSwitch({ session }: { session: Session }) {
  const tell = useTell();
  const { me } = useAuth();
  const works = session.spec.agentState === "On";
  const { mutate, isPending } = useAgent(works ? "Off" : "On");
  if (!switchesAgent(session, me.chatEnabled)) return null;
  const Icon = works ? BotOff : Bot;
  return (
    <IconButton label={works ? "Stop the agent" : "Start the agent"} disabled={isPending} onClick={() => mutate(session, { onError: (error) => tell(error.message, "bad") })}>
      <Icon className="size-4" aria-hidden />
    </IconButton>
  );
}
