import { Download } from "lucide-react";
import { useState } from "react";
import { journal } from "../api/messages";
import type { Run } from "../api/types";
import { Button } from "../components/button";
import { useTell } from "../components/toast";

/** Saves everything that the run has told, however long it is. */
export function JournalDownload({ run }: { run: Run }) {
  const tell = useTell();
  const [count, setCount] = useState<number>();
  const save = async (): Promise<void> => {
    setCount(0);
    try {
      offer(await journal(run, setCount), `${run.namespace}-${run.name}.ndjson`);
    } catch (error) {
      tell(`The journal cannot be saved: ${(error as Error).message}`, "bad");
    } finally {
      setCount(undefined);
    }
  };
  return (
    <Button look="quiet" disabled={count !== undefined} onClick={() => void save()} title="All messages, one line of JSON each">
      <Download className="size-4" aria-hidden />
      {count === undefined ? "Journal" : <span className="numbers">{count.toLocaleString("en-GB")}</span>}
      <span className="sr-only">{count === undefined ? ", download" : " messages read"}</span>
    </Button>
  );
}

function offer(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // The browser has taken it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
