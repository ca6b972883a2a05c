import { useState } from "react";
import { Button } from "../components/button";
import { Dialog, DialogBody, DialogFoot } from "../components/dialog";
import { TextField } from "../components/field";
import { MAX_TITLE } from "./kterm";

interface Props {
  title: string;
  /** Why no name can be given now: what was typed waits. */
  hindrance: string | undefined;
  onRename: (title: string) => void;
  onClose: () => void;
  focusAfter: () => void;
}

export function RenameDialog({ title, hindrance, onRename, onClose, focusAfter }: Props) {
  const [name, setName] = useState(title);
  const tooLong = new TextEncoder().encode(name.trim()).length > MAX_TITLE;
  const error = tooLong ? `A name has at most ${MAX_TITLE} bytes.` : hindrance;
  return (
    <Dialog open onClose={onClose} title="Rename terminal" width="sm:max-w-sm" focusAfter={focusAfter}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (error !== undefined) return;
          onRename(name.trim());
          onClose();
        }}
      >
        <DialogBody>
          <TextField
            label="Name"
            value={name}
            autoFocus
            onFocus={(event) => event.target.select()}
            onChange={(event) => setName(event.target.value)}
            hint="Left empty, the program in it gives the name."
            error={error}
          />
        </DialogBody>
        <DialogFoot>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" disabled={error !== undefined}>
            Rename
          </Button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}
