import { Workflow } from "lucide-react";
import { useState } from "react";
import type { Session } from "../api/types";
import { WORK_ID_BYTES } from "../chat/protocol";
import type { ChatHandle } from "../chat/use-chat";
import { mayCancel, mayStart } from "../chat/words";
import { Button, IconButton } from "../components/button";
import { Confirm } from "../components/confirm";
import { Dialog, DialogBody, DialogFoot } from "../components/dialog";
import { workIdMistake } from "../form/agent";
import { WorkItemField } from "./work-item-field";

interface Props {
  session: Session;
  handle: ChatHandle;
}

/** Has the agent work an item through the phases, where it works none. */
export function StartWorkflow({ session, handle }: Props) {
  return handle.chat.work === undefined ? <Starter session={session} handle={handle} /> : null;
}

function Starter({ session, handle: { chat, status, connection } }: Props) {
  const [open, setOpen] = useState(false);
  const [workId, setWorkId] = useState(session.spec.workId ?? "");
  const [left, setLeft] = useState(false);
  const { beginning } = status;
  const may = mayStart(chat, status.link);
  const mistake = mistakeOf(workId);
  const refused = beginning?.workId === workId ? beginning.refused : undefined;
  const waits = beginning !== undefined && beginning.refused === undefined;
  const close = (): void => {
    connection?.abandon();
    setOpen(false);
  };
  return (
    <>
      {may && (
        <IconButton label="Start workflow…" onClick={() => setOpen(true)}>
          <Workflow className="size-4" aria-hidden />
        </IconButton>
      )}
      {open && (
        <Dialog open onClose={close} title="Start workflow" description="The agent works an item through the phases, as far by itself as the session's autonomy allows." width="sm:max-w-md">
          <form
            noValidate
            onSubmit={(event) => {
              event.preventDefault();
              setLeft(true);
              if (mistake === undefined && may && !waits) connection?.begin(workId);
            }}
          >
            <DialogBody>
              <WorkItemField repository={session.spec.repository?.url ?? ""} value={workId} error={refused ?? (left ? mistake : undefined)} onChange={setWorkId} onLeave={() => setLeft(true)} />
            </DialogBody>
            <DialogFoot>
              <Button onClick={close}>Not now</Button>
              <Button type="submit" look="primary" disabled={waits || !may}>
                {waits ? "Starting…" : "Start workflow"}
              </Button>
            </DialogFoot>
          </form>
        </Dialog>
      )}
    </>
  );
}

function mistakeOf(workId: string): string | undefined {
  if (workId === "") return "Name the work item.";
  if (new TextEncoder().encode(workId).length > WORK_ID_BYTES) return `A work item has at most ${WORK_ID_BYTES} bytes.`;
  return workIdMistake(workId)?.replace("spec.workId", "It");
}

/** Ends the workflow of an agent that rests; one that works is interrupted first. */
export function CancelWorkflow({ handle: { chat, status, connection } }: Pick<Props, "handle">) {
  const [asking, setAsking] = useState(false);
  const may = mayCancel(chat, status.link);
  if (!may && !asking) return null;
  return (
    <>
      {may && <Button onClick={() => setAsking(true)}>Cancel workflow</Button>}
      {asking && (
        <Confirm
          title="Cancel the workflow?"
          description={`The agent stops its work on ${chat.work ?? "the item"}. What it has changed in the workspace stays; another workflow begins with the first phase.`}
          stay="Keep it"
          act="Cancel workflow"
          busy={!may}
          error={null}
          onAct={() => {
            connection?.interrupt();
            setAsking(false);
          }}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}
