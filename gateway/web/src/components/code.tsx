import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { IconButton } from "./button";
import { copyText } from "./copy";
import { Marked } from "./marked";

const SHOWN = 1_500;

/** Code to read and to copy. */
export function CodeBlock({ text, label, needle = "" }: { text: string; label: string; needle?: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    if (!(await copyText(text))) return;
    setCopied(true);
    setTimeout(() => setCopied(false), SHOWN);
  };
  return (
    <div className="relative rounded-lg border border-line bg-canvas">
      <pre tabIndex={0} aria-label={label} className="overflow-x-auto rounded-lg p-3 pr-12 text-left font-mono text-xs leading-5">
        <Marked text={text} needle={needle} />
      </pre>
      <IconButton label={copied ? "Copied" : `Copy ${label}`} onClick={() => void copy()} className="absolute top-1.5 right-1.5 bg-canvas">
        {copied ? <Check className="size-3.5 text-good" aria-hidden /> : <Copy className="size-3.5" aria-hidden />}
      </IconButton>
    </div>
  );
}
