import { Copy } from "lucide-react";
import { copyText } from "./copy";
import { MenuItem } from "./menu";
import { useTell } from "./toast";

/** Puts a kubectl command on the clipboard; where the browser does not allow it, the command is told instead. */
export function CopyCommandItem({ command }: { command: string }) {
  const tell = useTell();
  const copy = async (): Promise<void> => tell((await copyText(command)) ? "Command copied" : command);
  return (
    <MenuItem icon={Copy} onSelect={() => void copy()}>
      Copy kubectl command
    </MenuItem>
  );
}
