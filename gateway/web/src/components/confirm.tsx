import type { ReactNode } from "react";
import { Button } from "./button";
import { Dialog, DialogBody, DialogFoot } from "./dialog";

interface Props {
  title: string;
  description: string;
  /** The words of the way back, and of what is asked about. */
  stay: string;
  act: string;
  busy: boolean;
  error: Error | null;
  onAct: () => void;
  onClose: () => void;
  focusAfter?: () => void;
  children?: ReactNode;
}

/** Asks once before something that cannot be undone, and says what is lost. */
export function Confirm({ title, description, stay, act, busy, error, onAct, onClose, focusAfter, children }: Props) {
  return (
    <Dialog open onClose={onClose} title={title} description={description} width="sm:max-w-md" {...(focusAfter === undefined ? {} : { focusAfter })}>
      <DialogBody>
        {children}
        {error !== null && (
          <p role="alert" className="mt-3 text-sm text-bad">
            {error.message}
          </p>
        )}
      </DialogBody>
      <DialogFoot>
        <Button autoFocus onClick={onClose}>
          {stay}
        </Button>
        <Button look="danger" disabled={busy} onClick={onAct}>
          {act}
        </Button>
      </DialogFoot>
    </Dialog>
  );
}
