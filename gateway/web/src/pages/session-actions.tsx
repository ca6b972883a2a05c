import { useMutation, useQuery } from "@tanstack/react-query";
import { api } from "../api/client";
import type { Session } from "../api/types";
import { CodeBlock } from "../components/code";
import { Confirm } from "../components/confirm";
import { Dialog, DialogBody } from "../components/dialog";
import { useTell } from "../components/toast";
import { keeps, kubectlCommand, losses, manifest, toYaml } from "../session/manifest";
import type { RowAction } from "./session-row";

interface Props {
  session: Session;
  action: RowAction;
  onClose: () => void;
  onDeleted?: () => void;
}

export function SessionActions({ session, action, onClose, onDeleted }: Props) {
  return action === "delete" ? <DeleteDialog session={session} onClose={onClose} onDeleted={onDeleted} /> : <YamlDialog session={session} onClose={onClose} />;
}

function DeleteDialog({ session, onClose, onDeleted }: { session: Session; onClose: () => void; onDeleted: (() => void) | undefined }) {
  const tell = useTell();
  const remove = useMutation({
    mutationFn: () => api.remove(session),
    onSuccess: () => {
      tell(`${session.name} is being deleted`);
      onClose();
      onDeleted?.();
    },
  });
  const kept = keeps(session);
  return (
    <Confirm
      title={`Delete ${session.name}?`}
      description="This cannot be undone. It takes with it:"
      stay="Cancel"
      act={remove.isPending ? "Deleting…" : "Delete session"}
      busy={remove.isPending}
      error={remove.error}
      onAct={() => remove.mutate()}
      onClose={onClose}
    >
      <ul className="list-disc space-y-1 pl-5">
        {losses(session).map((loss) => (
          <li key={loss}>{loss}</li>
        ))}
      </ul>
      {kept !== undefined && <p className="mt-3 text-sm text-soft">{kept}</p>}
    </Confirm>
  );
}

function YamlDialog({ session, onClose }: { session: Session; onClose: () => void }) {
  const yaml = useQuery({ queryKey: ["yaml", session.uid, session.resourceVersion], queryFn: () => toYaml(manifest(session)), staleTime: Number.POSITIVE_INFINITY });
  return (
    <Dialog open onClose={onClose} title={session.name} description="The manifest as it would stand in Git" width="sm:max-w-2xl">
      <DialogBody>
        <div className="grid gap-3">
          <CodeBlock label="YAML" text={yaml.data ?? "…"} />
          <CodeBlock label="kubectl command" text={kubectlCommand(session)} />
        </div>
      </DialogBody>
    </Dialog>
  );
}
