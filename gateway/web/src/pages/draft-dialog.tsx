import { FileCode } from "lucide-react";
import { useState, type ReactNode } from "react";
import { Button } from "../components/button";
import { CodeBlock } from "../components/code";
import { Dialog, DialogBody, DialogFoot } from "../components/dialog";
import type { Sending } from "../form/use-draft";
import { toYaml } from "../session/manifest";

interface Props {
  title: string;
  description: string;
  width?: string | undefined;
  /** What sends the form, in words. */
  act: string;
  sending: Sending;
  /** What the form would create, for those who would rather write it down. */
  manifest: () => object;
  onClose: () => void;
  /** The fields. */
  children: ReactNode;
}

/** The frame of a form that creates something: what the API refused, the way to send it, and the same as a manifest. */
export function DraftDialog({ title, description, width, act, sending, manifest, onClose, children }: Props) {
  const [yaml, setYaml] = useState<string>();
  if (yaml !== undefined) {
    return (
      <Dialog open onClose={() => setYaml(undefined)} title="The same as a manifest" description="For kubectl apply, or for Git" width={width}>
        <DialogBody>
          <CodeBlock label="YAML" text={yaml} />
        </DialogBody>
        <DialogFoot>
          <Button onClick={() => setYaml(undefined)}>Back to the form</Button>
        </DialogFoot>
      </Dialog>
    );
  }
  const preview = async (): Promise<void> => setYaml(await toYaml(manifest()));
  return (
    <Dialog open onClose={onClose} title={title} description={description} width={width}>
      <form noValidate onSubmit={sending.submit} className="flex min-h-0 flex-1 flex-col">
        <DialogBody>
          <div className="grid gap-4">
            {children}
            {sending.refusals.map((message) => (
              <p key={message} role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-sm break-words text-bad">
                {message}
              </p>
            ))}
          </div>
        </DialogBody>
        <DialogFoot>
          <Button look="quiet" className="mr-auto" onClick={() => void preview()}>
            <FileCode className="size-4" aria-hidden /> <span className="sr-only sm:not-sr-only">Show YAML</span>
          </Button>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" disabled={sending.creating}>
            {sending.creating ? "Creating…" : act}
          </Button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}
