import { ArrowLeft, Ellipsis, FolderOpen, Upload } from "lucide-react";
import { useCallback, useEffect, useRef, useState, type DragEvent } from "react";
import { Link, useNavigate, useParams } from "react-router";
import { useAct, useSession } from "../api/sessions";
import { useStreamState } from "../api/live";
import type { Session } from "../api/types";
import { buttonLook, IconButton } from "../components/button";
import { Menu } from "../components/menu";
import { useTell } from "../components/toast";
import { useAuth } from "../layout/auth";
import { useTitle } from "../layout/waiting";
import { ConnectionMark } from "../link/connection-mark";
import { backlogOf } from "../link/words";
import { remark, stateOf, wakesOnOpen } from "../session/state";
import { FilesDrawer } from "../terminal/files-drawer";
import { StartProgress } from "../terminal/start-progress";
import { TerminalNotice } from "../terminal/terminal-notice";
import { useTerminal } from "../terminal/use-terminal";
import { useUploads } from "../terminal/use-uploads";
import { SessionActions } from "./session-actions";
import { SessionMenuItems, type RowAction } from "./session-row";

export default function SessionPage() {
  const { namespace = "", name = "" } = useParams();
  const { session, known, error } = useSession(namespace, name);
  useTitle(name);

  if (session !== undefined) return <Workplace key={session.uid} session={session} />;
  if (!known && error === null) return <p role="status" className="p-4 text-soft">Looking for {name}…</p>;
  return (
    <section className="grid h-full place-content-center justify-items-center gap-3 p-6 text-center">
      <h1 className="text-base font-semibold">{known ? `There is no session ${name} in ${namespace}` : "The session cannot be shown now"}</h1>
      <p className="max-w-sm text-soft">{known ? "It was deleted, or you may not see it." : error?.message}</p>
      <Link to="/sessions" className={buttonLook()}>
        All sessions
      </Link>
    </section>
  );
}

function Workplace({ session }: { session: Session }) {
  const { askForLogin } = useAuth();
  const bar = useRef<HTMLAnchorElement>(null);
  const leave = useCallback(() => bar.current?.focus(), []);
  const { status, connection, screen, place } = useTerminal(session, leave);
  const [filesOpen, setFilesOpen] = useState(false);
  const [folder, setFolder] = useState(session.spec.repository === undefined ? "" : "repo");
  const [transfers, upload] = useUploads(session, folder);
  const [starting, start] = useStart(session);
  const mayUpload = !status.viewOnly;

  return (
    <Drop onFiles={upload} enabled={mayUpload && stateOf(session) === "ready"} folder={folder}>
      <Bar session={session} back={bar} filesOpen={filesOpen} onFiles={() => setFilesOpen(!filesOpen)}>
        <ConnectionMark status={status} state={stateOf(session)} backlog={backlogOf(status.keysWaiting, "key")} />
      </Bar>
      <div className="relative flex min-h-0 flex-1">
        <div className="flex min-w-0 flex-1 flex-col">
          <div className="relative min-h-0 flex-1 overflow-hidden bg-terminal" role="region" aria-label="Terminal. Control Shift Up leaves it.">
            <div ref={place} className="absolute inset-0 pt-2 pl-3" />
            {!status.established && (
              <div className="absolute inset-0 z-10 bg-terminal">
                <StartProgress session={session} starting={starting} onStart={start} />
              </div>
            )}
          </div>
          <TerminalNotice session={session} status={status} connection={connection} starting={starting} onStart={start} onLogin={askForLogin} />
        </div>
        {filesOpen && (
          <FilesDrawer
            session={session}
            folder={folder}
            onFolder={setFolder}
            transfers={transfers}
            onFiles={upload}
            mayUpload={mayUpload}
            onClose={() => {
              setFilesOpen(false);
              screen?.focus();
            }}
          />
        )}
      </div>
    </Drop>
  );
}

/** Starts a stopped session: by the button, and by itself when it had stopped by itself and somebody opens its page. */
function useStart(session: Session): [boolean, () => void] {
  const tell = useTell();
  const { mutate, isPending } = useAct("resume");
  const start = useCallback(() => mutate(session, { onError: (error) => tell(error.message, "bad") }), [mutate, session, tell]);
  const wakes = wakesOnOpen(session);
  const asked = useRef(false);
  useEffect(() => {
    if (!wakes) {
      asked.current = false;
      return;
    }
    const wake = (): void => {
      if (document.visibilityState !== "visible" || asked.current) return;
      asked.current = true;
      start();
    };
    wake();
    document.addEventListener("visibilitychange", wake);
    return () => document.removeEventListener("visibilitychange", wake);
  }, [wakes, start]);
  return [isPending, start];
}

interface BarProps {
  session: Session;
  back: React.RefObject<HTMLAnchorElement | null>;
  filesOpen: boolean;
  onFiles: () => void;
  children: React.ReactNode;
}

function Bar({ session, back, filesOpen, onFiles, children }: BarProps) {
  const { live } = useAuth();
  const stream = useStreamState(live);
  const navigate = useNavigate();
  const [acting, setActing] = useState<RowAction>();
  const note = remark(session);
  return (
    <header className="flex h-8 pointer-coarse:h-11 shrink-0 items-center gap-2 border-b border-line bg-surface pr-1 pl-1">
      <Link ref={back} to="/sessions" aria-label="All sessions" title="All sessions" className="inline-flex size-7 pointer-coarse:size-11 shrink-0 items-center justify-center rounded-md text-soft hover:bg-hover hover:text-ink focus-visible:-outline-offset-2">
        <ArrowLeft className="size-4" aria-hidden />
      </Link>
      <h1 className="min-w-0 shrink truncate text-sm font-semibold">
        {session.name}
        <span className="ml-2 hidden font-normal text-faint sm:inline">{session.namespace}</span>
      </h1>
      <div className="flex min-w-16 flex-1 items-center justify-end gap-3 sm:justify-start">
        {children}
        {note !== undefined && <span className="hidden min-w-0 truncate text-xs text-busy md:inline" title={note}>{note}</span>}
        {stream === "down" && <span className="hidden text-xs text-busy md:inline">No live updates</span>}
      </div>
      <IconButton label="Files" aria-expanded={filesOpen} onClick={onFiles}>
        <FolderOpen className="size-4" aria-hidden />
      </IconButton>
      <Menu
        trigger={
          <IconButton label="Session menu">
            <Ellipsis className="size-4" aria-hidden />
          </IconButton>
        }
      >
        <SessionMenuItems session={session} onAct={setActing} />
      </Menu>
      {acting !== undefined && <SessionActions session={session} action={acting} onClose={() => setActing(undefined)} onDeleted={() => void navigate("/sessions")} />}
    </header>
  );
}

interface DropProps {
  enabled: boolean;
  folder: string;
  onFiles: (files: File[]) => void;
  children: React.ReactNode;
}

/** The whole page takes files. */
function Drop({ enabled, folder, onFiles, children }: DropProps) {
  const [over, setOver] = useState(false);
  const hasFiles = (event: DragEvent): boolean => enabled && event.dataTransfer.types.includes("Files");
  return (
    <div
      className="relative flex h-full flex-col"
      onDragOver={(event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={(event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        setOver(false);
        onFiles([...event.dataTransfer.files]);
      }}
    >
      {children}
      {over && (
        <div className="animate-fade pointer-events-none absolute inset-2 z-30 grid place-content-center justify-items-center gap-2 rounded-xl border-2 border-dashed border-accent-text bg-canvas/90 text-center">
          <Upload className="size-6 text-accent-text" aria-hidden />
          <p className="font-medium">Drop to upload to /workspace/{folder}</p>
        </div>
      )}
    </div>
  );
}
