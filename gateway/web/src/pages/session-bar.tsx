import { ArrowLeft, Ellipsis } from "lucide-react";
import { useState, type ReactNode, type RefObject } from "react";
import { Link, useNavigate } from "react-router";
import { useStreamState } from "../api/live";
import type { Session } from "../api/types";
import { IconButton } from "../components/button";
import { Menu } from "../components/menu";
import { useAuth } from "../layout/auth";
import { remark } from "../session/state";
import { SessionActions } from "./session-actions";
import { SessionMenuItems, type RowAction } from "./session-row";

interface Props {
  session: Session;
  back: RefObject<HTMLAnchorElement | null>;
  /** Beside the name. */
  children: ReactNode;
  /** Before the menu. */
  tools: ReactNode;
}

/** The one line above a session's work: what it is called, how the connection stands, what can be done. */
export function SessionBar({ session, back, children, tools }: Props) {
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
      {tools}
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
