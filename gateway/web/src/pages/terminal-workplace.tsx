import { FolderOpen, Upload } from "lucide-react";
import { useCallback, useRef, useState, type DragEvent, type ReactNode } from "react";
import type { Session } from "../api/types";
import { IconButton } from "../components/button";
import { useMedia } from "../components/media";
import { useAuth } from "../layout/auth";
import { useTitle } from "../layout/waiting";
import { ConnectionMark } from "../link/connection-mark";
import { backlogOf } from "../link/words";
import { stateOf } from "../session/state";
import { useStart } from "../session/use-start";
import { ConnectionDrawer } from "../terminal/connection-drawer";
import { FilesDrawer } from "../terminal/files-drawer";
import { focusTab } from "../terminal/tab-ids";
import { TerminalPane } from "../terminal/terminal-pane";
import { TerminalTabs } from "../terminal/terminal-tabs";
import { useTerminal } from "../terminal/use-terminal";
import { useUploads } from "../terminal/use-uploads";
import { AgentSwitch } from "./agent-switch";
import { SessionBar } from "./session-bar";

/** The page of a session that is a terminal: it gets every pixel. */
export function TerminalWorkplace({ session }: { session: Session }) {
  useTitle(session.name);
  const bar = useRef<HTMLAnchorElement>(null);
  const terminal = useTerminal(session);
  const { askForLogin } = useAuth();
  const wide = useMedia("(min-width: 48rem)");
  const [drawer, setDrawer] = useState<"files" | "connection">();
  const [finding, setFinding] = useState(false);
  const [folder, setFolder] = useState(session.spec.repository === undefined ? "" : "repo");
  const [transfers, upload] = useUploads(session, folder);
  const [starting, start] = useStart(session);
  const { status, screen } = terminal;
  const mayUpload = !status.viewOnly;
  const leave = useCallback(() => focusTab(status.active, bar.current), [status.active]);
  const showFile = useCallback((path: string) => {
    setFolder(path.split("/").slice(0, -1).join("/"));
    setDrawer("files");
  }, []);
  const toggle = (which: "files" | "connection"): void => setDrawer(drawer === which ? undefined : which);
  const closeDrawer = (): void => {
    setDrawer(undefined);
    screen?.focus();
  };
  const tabs = <TerminalTabs terminal={terminal} onFind={() => setFinding(true)} />;
  const tools = (
    <>
      <AgentSwitch session={session} />
      <IconButton label="Files" aria-expanded={drawer === "files"} onClick={() => toggle("files")}>
        <FolderOpen className="size-4" aria-hidden />
      </IconButton>
    </>
  );

  return (
    <Drop onFiles={upload} enabled={mayUpload && stateOf(session) === "ready"} folder={folder}>
      <SessionBar session={session} back={bar} tools={tools}>
        <ConnectionMark
          status={status}
          state={stateOf(session)}
          backlog={backlogOf(status.keysWaiting, "key")}
          latency={status.latency}
          details={{ open: drawer === "connection", onToggle: () => toggle("connection") }}
        />
        {wide && tabs}
      </SessionBar>
      {!wide && <div className="flex shrink-0 border-b border-line bg-surface px-1">{tabs}</div>}
      <div className="relative flex min-h-0 flex-1">
        <TerminalPane
          session={session}
          terminal={terminal}
          starting={starting}
          onStart={start}
          takesKeys
          finding={finding}
          onFind={setFinding}
          onLeave={leave}
          onFile={showFile}
        />
        {drawer === "connection" && <ConnectionDrawer session={session} terminal={terminal} onLogin={askForLogin} onClose={closeDrawer} />}
        {drawer === "files" && <FilesDrawer session={session} folder={folder} onFolder={setFolder} transfers={transfers} onFiles={upload} mayUpload={mayUpload} onClose={closeDrawer} />}
      </div>
    </Drop>
  );
}

interface DropProps {
  enabled: boolean;
  folder: string;
  onFiles: (files: File[]) => void;
  children: ReactNode;
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
