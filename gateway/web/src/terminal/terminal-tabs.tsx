import { Bell, Bot, ChevronDown, Plus, X } from "lucide-react";
import { useEffect, useRef, useState, type DragEvent, type KeyboardEvent, type ReactNode } from "react";
import { IconButton } from "../components/button";
import { Confirm } from "../components/confirm";
import { Menu, MenuItem, MenuLine } from "../components/menu";
import { focusTab, panelId, tabId } from "./tab-ids";
import { RenameDialog } from "./rename-dialog";
import { SettingItems } from "./setting-items";
import { hindranceOf, isIdle, type Tab } from "./tab";
import type { TerminalHandle } from "./use-terminal";

/** What is dragged, so that files and tabs are not taken for each other. */
const DRAGGED = "application/x-fabrica-terminal";

interface Props {
  terminal: TerminalHandle;
  onFind: () => void;
}

/** The terminals of a session: choose, open, name, order and close them. */
export function TerminalTabs({ terminal, onFind }: Props) {
  const { status, connection, screen, screens } = terminal;
  const { tabs, active } = status;
  const [renaming, setRenaming] = useState<Tab>();
  const [closing, setClosing] = useState<Tab>();
  const mayChange = status.link === "live" && !status.viewOnly;
  const mayTell = (tab: Tab): boolean => mayChange && status.renames && tab.gone === undefined;
  const current = tabs.find(({ tab }) => tab === active);
  const at = tabs.findIndex(({ tab }) => tab === active);

  const close = (tab: Tab): void => {
    if (isIdle(tab, active, screens.get(tab.tab)?.atPrompt)) connection?.close(tab.tab);
    else setClosing(tab);
  };

  return (
    <div className="flex min-w-0 flex-1 items-center">
      <TabList
        tabs={tabs}
        active={active}
        mayChange={mayChange}
        onSelect={(tab) => {
          connection?.select(tab);
          if (tab === active) screen?.focus();
        }}
        onMove={(tab, to) => connection?.move(tab, to)}
        onRename={(tab) => mayTell(tab) && setRenaming(tab)}
        onClose={close}
      />
      {!status.viewOnly && (
        <IconButton label="New terminal" disabled={!mayChange || status.opening} onClick={() => connection?.open(false)}>
          <Plus className="size-4" aria-hidden />
        </IconButton>
      )}
      <Menu
        trigger={
          <IconButton label="Terminal menu">
            <ChevronDown className="size-4" aria-hidden />
          </IconButton>
        }
      >
        {current !== undefined && (
          <>
            <MenuItem disabled={!mayTell(current)} onSelect={() => setRenaming(current)}>Rename… <Hint>F2</Hint></MenuItem>
            <MenuItem disabled={at <= 0} onSelect={() => connection?.move(current.tab, at - 1)}>Move left <Hint>Ctrl ←</Hint></MenuItem>
            <MenuItem disabled={at >= tabs.length - 1} onSelect={() => connection?.move(current.tab, at + 1)}>Move right <Hint>Ctrl →</Hint></MenuItem>
            <MenuItem disabled={!mayTell(current)} onSelect={() => connection?.clear()}>Clear what was printed</MenuItem>
            {mayChange && status.renames && <MenuItem disabled={!mayTell(current)} onSelect={() => connection?.takeBack(true)}>Type here alone</MenuItem>}
            <MenuItem danger disabled={!mayChange && current.gone === undefined} onSelect={() => close(current)}>Close terminal <Hint>Delete</Hint></MenuItem>
            <MenuLine />
          </>
        )}
        <MenuItem disabled={screen === undefined} onSelect={onFind}>Find… <Hint>Ctrl Shift F</Hint></MenuItem>
        <MenuLine />
        <SettingItems />
      </Menu>
      {renaming !== undefined && (
        <RenameDialog
          title={renaming.title}
          hindrance={hindranceOf(tabs.find(({ tab }) => tab === renaming.tab), status.link === "live")}
          onRename={(title) => connection?.rename(renaming.tab, title)}
          onClose={() => setRenaming(undefined)}
          focusAfter={() => focusTab(renaming.tab, null)}
        />
      )}
      {closing !== undefined && (
        <Confirm
          title={`Close ${closing.title}?`}
          description="What runs in it is ended, and what it has printed is gone."
          stay="Keep it"
          act="Close terminal"
          busy={false}
          error={null}
          onAct={() => {
            connection?.close(closing.tab);
            setClosing(undefined);
          }}
          onClose={() => setClosing(undefined)}
          focusAfter={() => focusTab(status.active, null)}
        />
      )}
    </div>
  );
}

function Hint({ children }: { children: ReactNode }) {
  return <kbd className="ml-auto pl-4 font-sans text-xs text-faint">{children}</kbd>;
}

interface ListProps {
  tabs: readonly Tab[];
  active: number | undefined;
  mayChange: boolean;
  onSelect: (tab: number) => void;
  onMove: (tab: number, to: number) => void;
  onRename: (tab: Tab) => void;
  onClose: (tab: Tab) => void;
}

function TabList({ tabs, active, mayChange, onSelect, onMove, onRename, onClose }: ListProps) {
  const list = useRef<HTMLDivElement>(null);
  /** Where the arrows are; Enter chooses. */
  const [focused, setFocused] = useState<number>();
  const stop = tabs.some(({ tab }) => tab === focused) ? focused : active;
  useEffect(() => {
    if (active !== undefined) document.getElementById(tabId(active))?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [active, tabs.length]);

  const go = (at: number): void => {
    const next = tabs[(at + tabs.length) % tabs.length];
    if (next === undefined) return;
    setFocused(next.tab);
    document.getElementById(tabId(next.tab))?.focus();
  };
  const onKey = (event: KeyboardEvent, tab: Tab, at: number): void => {
    const act = keyAction(event);
    if (act === undefined) return;
    event.preventDefault();
    if (act === "before") go(at - 1);
    else if (act === "behind") go(at + 1);
    else if (act === "first") go(0);
    else if (act === "last") go(-1);
    else if (act === "moveBefore") onMove(tab.tab, Math.max(0, at - 1));
    else if (act === "moveBehind") onMove(tab.tab, Math.min(tabs.length - 1, at + 1));
    else if (act === "choose") onSelect(tab.tab);
    else if (act === "rename") onRename(tab);
    else if (mayChange || tab.gone !== undefined) onClose(tab);
  };
  const onDrop = (event: DragEvent, at: number): void => {
    const dragged = Number(event.dataTransfer.getData(DRAGGED));
    if (dragged === 0) return;
    event.preventDefault();
    onMove(dragged, at);
  };

  return (
    <div ref={list} role="tablist" aria-label="Terminals" className="flex min-w-0 flex-1 items-stretch overflow-x-auto [scrollbar-width:none] sm:flex-initial" onBlur={() => setFocused(undefined)}>
      {tabs.map((tab, at) => (
        <div
          key={tab.tab}
          id={tabId(tab.tab)}
          role="tab"
          tabIndex={tab.tab === stop ? 0 : -1}
          aria-selected={tab.tab === active}
          aria-label={labelOf(tab)}
          {...(tab.seen || tab.tab === active ? { "aria-controls": panelId(tab.tab) } : {})}
          title={`${tab.title}${tab.cwd === "" ? "" : ` · ${tab.cwd}`}`}
          draggable
          onClick={() => onSelect(tab.tab)}
          onDoubleClick={() => onRename(tab)}
          onAuxClick={(event) => event.button === 1 && mayChange && onClose(tab)}
          onKeyDown={(event) => onKey(event, tab, at)}
          onDragStart={(event) => {
            event.dataTransfer.setData(DRAGGED, String(tab.tab));
            event.dataTransfer.effectAllowed = "move";
          }}
          onDragOver={(event) => event.dataTransfer.types.includes(DRAGGED) && event.preventDefault()}
          onDrop={(event) => onDrop(event, at)}
          className={`group relative flex h-8 max-w-44 min-w-14 shrink-0 cursor-pointer items-center gap-1.5 border-b-2 px-2 text-sm select-none focus-visible:-outline-offset-2 pointer-coarse:h-11 ${tab.tab === active ? "border-accent-text text-ink" : "border-transparent text-soft hover:text-ink"} ${tab.closing || !tab.alive ? "opacity-70" : ""}`}
        >
          {tab.agent && <Bot className="size-3.5 shrink-0 text-accent-text" aria-hidden />}
          <span className={`truncate ${tab.alive ? "" : "line-through decoration-1"}`}>{tab.title}</span>
          <Sign tab={tab} />
          {(mayChange || tab.gone !== undefined) && (
            // A tab may hold nothing that takes the focus: the keyboard closes with Delete.
            <span
              aria-hidden
              data-close
              onClick={(event) => {
                event.stopPropagation();
                onClose(tab);
              }}
              className="-mr-1 hidden size-6 shrink-0 items-center justify-center rounded hover:bg-hover sm:flex sm:opacity-0 sm:group-hover:opacity-100 sm:group-aria-selected:opacity-100"
            >
              <X className="size-3.5" />
            </span>
          )}
        </div>
      ))}
    </div>
  );
}

/** What happened out of sight. */
function Sign({ tab }: { tab: Tab }) {
  if (tab.bell) return <Bell className="size-3.5 shrink-0 text-busy" aria-hidden />;
  return tab.activity ? <span className="size-1.5 shrink-0 rounded-full bg-accent-text" aria-hidden /> : null;
}

/** What the agent's tab is called until somebody calls it otherwise. */
const AGENT = "agent";

function labelOf(tab: Tab): string {
  const words = [tab.title, tab.agent && tab.title !== AGENT && AGENT, !tab.alive && "ended", tab.closing && "closing", tab.bell ? "rang" : tab.activity && "new output"];
  return words.filter((word) => typeof word === "string").join(", ");
}

type Act = "before" | "behind" | "first" | "last" | "moveBefore" | "moveBehind" | "choose" | "rename" | "close";

const ACTS: Record<string, Act> = { ArrowLeft: "before", ArrowRight: "behind", Home: "first", End: "last", Enter: "choose", " ": "choose", F2: "rename", Delete: "close" };

function keyAction({ key, ctrlKey, altKey, metaKey, shiftKey }: KeyboardEvent): Act | undefined {
  if (altKey || metaKey || shiftKey) return undefined;
  if (!ctrlKey) return ACTS[key];
  return key === "ArrowLeft" ? "moveBefore" : key === "ArrowRight" ? "moveBehind" : undefined;
}
