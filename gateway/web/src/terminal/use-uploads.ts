import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import type { Session } from "../api/types";
import { useTell } from "../components/toast";
import { upload } from "./uploads";

export interface Transfer {
  id: number;
  name: string;
  share: number;
  error: string | undefined;
}

/** How long a finished upload stays in the list. */
const SHOWN = 3_000;
let nextId = 0;

export function useUploads(session: Session, folder: string): [Transfer[], (files: File[]) => void] {
  const tell = useTell();
  const queries = useQueryClient();
  const [transfers, setTransfers] = useState<Transfer[]>([]);

  const start = useCallback(
    (files: File[]) => {
      const change = (id: number, part: Partial<Transfer>): void => setTransfers((all) => all.map((each) => (each.id === id ? { ...each, ...part } : each)));
      // One after another: the network is the bottleneck, and each is whole as early as it can be.
      const send = async (): Promise<void> => {
        for (const file of files) {
          const id = (nextId += 1);
          const path = folder === "" ? file.name : `${folder}/${file.name}`;
          setTransfers((all) => [...all, { id, name: file.name, share: 0, error: undefined }]);
          try {
            await upload(session, path, file, (share) => change(id, { share }));
            tell(`Uploaded to /workspace/${path}`);
            setTimeout(() => setTransfers((all) => all.filter((each) => each.id !== id)), SHOWN);
            void queries.invalidateQueries({ queryKey: ["files", session.uid, folder] });
          } catch (failed) {
            const error = failed instanceof Error ? failed.message : String(failed);
            change(id, { error });
            tell(`${file.name}: ${error}`, "bad");
          }
        }
      };
      void send();
    },
    [folder, queries, session, tell],
  );
  return [transfers, start];
}
