import { useQuery } from "@tanstack/react-query";
import { CornerLeftUp, Download, File as FileIcon, Folder, RefreshCw, Upload, X } from "lucide-react";
import { useRef } from "react";
import { api, filePath } from "../api/client";
import type { FileEntry, Session } from "../api/types";
import { Button, IconButton } from "../components/button";
import { bytes } from "./uploads";
import type { Transfer } from "./use-uploads";

interface Props {
  session: Session;
  folder: string;
  onFolder: (folder: string) => void;
  transfers: Transfer[];
  onFiles: (files: File[]) => void;
  mayUpload: boolean;
  onClose: () => void;
}

/** The workspace's files: look, fetch, put. Beside the terminal, over it on a small screen. */
export function FilesDrawer({ session, folder, onFolder, transfers, onFiles, mayUpload, onClose }: Props) {
  const picker = useRef<HTMLInputElement>(null);
  const listing = useQuery({ queryKey: ["files", session.uid, folder], queryFn: () => api.list(session, folder), retry: false });
  return (
    <aside
      aria-label="Files"
      onKeyDown={(event) => event.key === "Escape" && onClose()}
      className="animate-slide absolute inset-0 z-20 flex flex-col border-line bg-surface md:static md:w-80 md:shrink-0 md:border-l"
    >
      <header className="flex h-10 shrink-0 items-center gap-1 border-b border-line pr-1.5 pl-3">
        <h2 className="min-w-0 flex-1 truncate text-sm font-semibold">Files</h2>
        {mayUpload && (
          <IconButton label="Upload files" onClick={() => picker.current?.click()}>
            <Upload className="size-4" aria-hidden />
          </IconButton>
        )}
        <IconButton label="Read the folder again" onClick={() => void listing.refetch()}>
          <RefreshCw className={`size-3.5 ${listing.isFetching ? "animate-spin" : ""}`} aria-hidden />
        </IconButton>
        <IconButton label="Close files" autoFocus onClick={onClose}>
          <X className="size-4" aria-hidden />
        </IconButton>
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          aria-label="Files to upload"
          onChange={(event) => {
            onFiles([...(event.target.files ?? [])]);
            event.target.value = "";
          }}
        />
      </header>
      <p className="truncate border-b border-line px-3 py-1.5 font-mono text-xs text-soft" title={`/workspace/${folder}`}>
        /workspace/{folder}
      </p>
      <Transfers transfers={transfers} />
      <div className="min-h-0 flex-1 overflow-y-auto p-1.5">
        {listing.error !== null ? (
          <div role="alert" className="grid justify-items-start gap-2 p-2 text-sm">
            <p className="break-words text-bad">{listing.error.message}</p>
            <Button onClick={() => onFolder("")}>To the top</Button>
          </div>
        ) : (
          <Entries session={session} folder={folder} entries={listing.data} onFolder={onFolder} />
        )}
      </div>
      {mayUpload && <p className="border-t border-line px-3 py-2 text-xs text-faint">Drop files anywhere on this page to upload them here.</p>}
    </aside>
  );
}

function Transfers({ transfers }: { transfers: Transfer[] }) {
  if (transfers.length === 0) return null;
  return (
    <ul aria-label="Uploads" className="grid gap-2 border-b border-line px-3 py-2 text-xs">
      {transfers.map(({ id, name, share, error }) => (
        <li key={id}>
          <div className="flex justify-between gap-2">
            <span className="truncate">{name}</span>
            <span className="numbers shrink-0 text-soft">{error === undefined ? `${Math.floor(share * 100)} %` : "failed"}</span>
          </div>
          {error === undefined ? (
            <progress aria-label={`Upload of ${name}`} value={share} max={1} className="mt-1 block h-1 w-full appearance-none overflow-hidden rounded-full bg-hover [&::-webkit-progress-bar]:bg-hover [&::-webkit-progress-value]:bg-accent" />
          ) : (
            <p className="break-words text-bad">{error}</p>
          )}
        </li>
      ))}
    </ul>
  );
}

const ROW = "flex h-8 pointer-coarse:h-11 w-full min-w-0 items-center gap-2 rounded-md px-2 text-left text-sm hover:bg-hover";

function Entries({ session, folder, entries, onFolder }: { session: Session; folder: string; entries: FileEntry[] | undefined; onFolder: (folder: string) => void }) {
  if (entries === undefined) return <p className="p-2 text-sm text-faint">Reading the folder…</p>;
  const sorted = entries.toSorted((one, other) => Number(other.kind === "directory") - Number(one.kind === "directory") || one.name.localeCompare(other.name));
  const inside = (name: string): string => (folder === "" ? name : `${folder}/${name}`);
  return (
    <ul>
      {folder !== "" && (
        <li>
          <button type="button" className={ROW} onClick={() => onFolder(folder.split("/").slice(0, -1).join("/"))}>
            <CornerLeftUp className="size-4 shrink-0 text-soft" aria-hidden /> up
          </button>
        </li>
      )}
      {sorted.map((entry) => (
        <li key={entry.name}>
          {entry.kind === "directory" ? (
            <button type="button" className={ROW} onClick={() => onFolder(inside(entry.name))}>
              <Folder className="size-4 shrink-0 text-accent-text" aria-hidden />
              <span className="truncate">{entry.name}</span>
            </button>
          ) : (
            <a href={filePath(session, inside(entry.name))} download={entry.name} className={`${ROW} group`} title={`Download ${entry.name}`}>
              <FileIcon className="size-4 shrink-0 text-soft" aria-hidden />
              <span className="min-w-0 flex-1 truncate">{entry.name}</span>
              <span className="numbers shrink-0 text-xs text-faint">{bytes(entry.size)}</span>
              <Download className="size-3.5 shrink-0 text-soft" aria-hidden />
            </a>
          )}
        </li>
      ))}
      {entries.length === 0 && <li className="p-2 text-sm text-faint">This folder is empty.</li>}
    </ul>
  );
}
