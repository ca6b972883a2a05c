import { CircleQuestionMark, FileCode, MessagesSquare, Pause, Play, Trash2 } from "lucide-react";
import { memo, type ReactNode } from "react";
import { useAct } from "../api/sessions";
import type { Session } from "../api/types";
import { CopyCommandItem } from "../components/copy-command-item";
import { RepositoryFact, RowLink, RowMenu } from "../components/list-row";
import { MenuItem, MenuLine } from "../components/menu";
import { StateBadge } from "../components/state-badge";
import { Time } from "../components/time";
import { useTell } from "../components/toast";
import { kubectlCommand } from "../session/manifest";
import { asked, hasAgent, headline, isStuck, remark, stateOf } from "../session/state";

export type RowAction = "delete" | "yaml";

interface RowProps {
  session: Session;
  withNamespace: boolean;
  onAct: (session: Session, action: RowAction) => void;
}

/** Drawn again only when its own session has changed: a busy cluster changes a few of many. */
export const SessionRow = memo(function SessionRow({ session, withNamespace, onAct }: RowProps) {
  const why = headline(session) ?? remark(session);
  const state = stateOf(session);
  const question = asked(session);
  return (
    <li className="group relative flex items-start gap-x-3 gap-y-1 px-4 py-3 transition-colors first:rounded-t-xl last:rounded-b-xl hover:bg-hover/50 sm:items-center">
      <div className="grid min-w-0 flex-1 gap-y-1 sm:grid-cols-[6.5rem_minmax(0,1fr)] sm:gap-x-3">
        <div className="sm:self-center">
          <StateBadge session={session} />
        </div>
        <div className="min-w-0">
          <div className="flex min-w-0 flex-wrap items-baseline gap-x-2">
            <RowLink to={`/ns/${session.namespace}/sessions/${session.name}`}>{session.name}</RowLink>
            {withNamespace && <span className="truncate text-xs text-faint">{session.namespace}</span>}
          </div>
          {question !== undefined && (
            <p className="mt-0.5 line-clamp-2 text-sm break-words text-accent-text">
              <CircleQuestionMark className="mr-1 inline size-4 align-text-bottom" aria-hidden />
              Waiting for you: {question}
            </p>
          )}
          {why !== undefined && <p className={`mt-0.5 line-clamp-3 text-sm break-words sm:line-clamp-2 ${state === "failed" ? "text-bad" : isStuck(session) ? "text-busy" : "text-soft"}`}>{why}</p>}
          <Facts session={session} />
        </div>
      </div>
      <RowMenu name={session.name}>
        <SessionMenuItems session={session} onAct={(action) => onAct(session, action)} />
      </RowMenu>
    </li>
  );
});

function Facts({ session }: { session: Session }) {
  const { repository, workspace, mode, workId } = session.spec;
  const phase = session.status?.faber?.phase;
  // To the minute, so it may lie before the session's own beginning; then it says nothing.
  const used = session.status?.lastActivityAt;
  return (
    <p className="mt-0.5 flex min-w-0 flex-wrap items-center gap-x-3 gap-y-0.5 text-xs text-faint">
      {hasAgent(session) && (
        <span className="flex items-center gap-1">
          <MessagesSquare className="size-3 shrink-0" aria-hidden />
          {mode === "Chat" ? "Chat" : "Terminal with agent"}{workId !== undefined && ` · item ${workId}`}
          {phase !== undefined && ` · ${phase}`}
        </span>
      )}
      {repository !== undefined && <RepositoryFact url={repository.url} branch={repository.branch} />}
      <span className="numbers">{workspace === undefined ? "no volume" : `${workspace.size} volume`}</span>
      {used !== undefined && used > session.createdAt && (
        <span>
          used <Time at={used} />
        </span>
      )}
      <span>
        created <Time at={session.createdAt} />
      </span>
    </p>
  );
}

/** What one can do to a session; the same in the list and on its page. */
export function SessionMenuItems({ session, onAct, children }: { session: Session; onAct: (action: RowAction) => void; children?: ReactNode }) {
  const tell = useTell();
  const suspend = useAct("suspend");
  const resume = useAct("resume");
  const failed = (error: Error): void => tell(error.message, "bad");
  const stopped = stateOf(session) === "stopped";
  return (
    <>
      {children}
      {stopped ? (
        <MenuItem icon={Play} onSelect={() => resume.mutate(session, { onError: failed })}>
          Start again
        </MenuItem>
      ) : (
        <MenuItem icon={Pause} disabled={session.spec.workspace === undefined} onSelect={() => suspend.mutate(session, { onError: failed })}>
          {session.spec.workspace === undefined ? "Suspend (needs a volume)" : "Suspend"}
        </MenuItem>
      )}
      <MenuLine />
      <MenuItem icon={FileCode} onSelect={() => onAct("yaml")}>
        Show YAML
      </MenuItem>
      <CopyCommandItem command={kubectlCommand(session)} />
      <MenuLine />
      <MenuItem icon={Trash2} danger onSelect={() => onAct("delete")}>
        Delete…
      </MenuItem>
    </>
  );
}
