import { Button } from "../components/button";
import { Dialog, DialogBody, DialogFoot } from "../components/dialog";
import type { PasteQuestion } from "./paste";

interface Props {
  question: PasteQuestion;
  onPaste: () => void;
  onClose: () => void;
  focusAfter: () => void;
}

/** Shows what is about to be pasted, and what would come of it. */
export function PasteDialog({ question: { lines, preview, entersEach }, onPaste, onClose, focusAfter }: Props) {
  const count = lines === 1 ? "1 line" : `${lines} lines`;
  const more = lines - preview.length;
  return (
    <Dialog
      open
      onClose={onClose}
      focusAfter={focusAfter}
      title={`Paste ${count}?`}
      description={entersEach ? "The program in the terminal does not tell a paste from keys: each line is entered as it comes." : "The program in the terminal takes them as one piece; nothing is entered by itself."}
    >
      <DialogBody>
        <pre className="max-h-60 overflow-auto rounded-md bg-hover px-3 py-2 font-mono text-xs" tabIndex={0} aria-label="The first lines">
          {preview.join("\n")}
        </pre>
        {more > 0 && <p className="mt-1.5 text-sm text-soft">and {more === 1 ? "1 line" : `${more} lines`} more</p>}
      </DialogBody>
      <DialogFoot>
        <Button onClick={onClose}>Cancel</Button>
        <Button look="primary" autoFocus onClick={onPaste}>
          Paste
        </Button>
      </DialogFoot>
    </Dialog>
  );
}
