import { Button } from "../components/button";
import { Dialog, DialogBody, DialogFoot } from "../components/dialog";
import { openAddress } from "./screen";

/** A program may write any words over a link: where it leads is shown before it is followed. */
export function LinkDialog({ target, onClose, focusAfter }: { target: string; onClose: () => void; focusAfter: () => void }) {
  return (
    <Dialog open onClose={onClose} focusAfter={focusAfter} title="Open this link?" description="A program in the terminal made it. Its text may say something else.">
      <DialogBody>
        <p className="rounded-md bg-hover px-3 py-2 font-mono text-sm break-all">{target}</p>
      </DialogBody>
      <DialogFoot>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          look="primary"
          onClick={() => {
            openAddress(target);
            onClose();
          }}
        >
          Open
        </Button>
      </DialogFoot>
    </Dialog>
  );
}
