import { Command, LogOut, Moon, Play, SquareTerminal, Sun, User, Boxes, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { NavLink, useMatch } from "react-router";
import { api } from "../api/client";
import { useStreamState } from "../api/live";
import { Menu, MenuChoice, MenuItem, MenuLabel, MenuLine } from "../components/menu";
import { useAuth } from "./auth";
import { Logo } from "./logo";
import { useNamespace } from "./namespace";
import { usePalette } from "./palette-context";
import { chooseTheme, useTheme, useThemeChoice, type ThemeChoice } from "./theme";
import { useWaitingRuns, useWaitingSessions } from "./waiting";

/** The frame of every page: a rail on the left, a bar at the bottom of a small screen. */
export function Shell({ children }: { children: ReactNode }) {
  const inTerminal = useMatch("/ns/:namespace/sessions/:name") !== null;
  return (
    <div className="flex h-dvh flex-col-reverse overflow-hidden sm:flex-row">
      <a href="#content" className="fixed top-2 left-2 z-60 -translate-y-16 rounded-md bg-accent px-3 py-1.5 text-sm text-accent-ink focus:translate-y-0">
        Skip to content
      </a>
      <Rail slim={inTerminal} />
      <main id="content" tabIndex={-1} className="min-h-0 min-w-0 flex-1 overflow-y-auto outline-none">
        {children}
      </main>
    </div>
  );
}

function Rail({ slim }: { slim: boolean }) {
  const palette = usePalette();
  const runs = useWaitingRuns();
  const sessions = useWaitingSessions();
  // Under the icons of the bottom bar, beside those of a wide rail, and nowhere in between.
  const words = slim ? "hidden" : "text-xs sm:hidden lg:inline lg:text-sm";
  const width = slim ? "sm:w-13" : "sm:w-13 lg:w-56";
  const hiddenOnSmall = slim ? "hidden sm:flex" : "flex";
  return (
    <nav
      aria-label="Main"
      className={`${hiddenOnSmall} ${width} shrink-0 items-center justify-around gap-1 border-t border-line bg-surface p-2 pb-[max(0.5rem,env(safe-area-inset-bottom))] sm:flex-col sm:items-stretch sm:justify-start sm:border-t-0 sm:border-r`}
    >
      <div className="mb-2 hidden h-9 items-center gap-2 px-1 sm:flex">
        <Logo className="size-7" />
        <span className={`${slim ? "hidden" : "hidden lg:inline"} text-base font-semibold tracking-tight`}>Fabrica</span>
      </div>
      <NamespaceSwitcher words={words} />
      <NavLink to="/sessions" className={({ isActive }) => entry(isActive)} title="Sessions">
        <Icon of={SquareTerminal} />
        <span className={`${words} text-left lg:flex-1`}>Sessions</span>
        <Waiting count={sessions} slim={slim} />
      </NavLink>
      <NavLink to="/runs" className={({ isActive }) => entry(isActive)} title="Runs">
        <Icon of={Play} />
        <span className={`${words} text-left lg:flex-1`}>Runs</span>
        <Waiting count={runs} slim={slim} />
      </NavLink>
      <button type="button" className={entry(false)} onClick={palette.open} title="Commands (Ctrl K)" aria-label="Commands">
        <Icon of={Command} />
        <span className={`${words} text-left lg:flex-1`}>Commands</span>
        <kbd className={`${slim ? "hidden" : "hidden lg:inline"} rounded border border-line px-1 font-sans text-xs text-faint`}>Ctrl K</kbd>
      </button>
      <div className="hidden flex-1 sm:block" />
      <StreamMark words={words} />
      <UserMenu words={words} />
    </nav>
  );
}

/** On the icon's corner where there are no words to stand behind. */
function Waiting({ count, slim }: { count: number; slim: boolean }) {
  if (count === 0) return null;
  return (
    <span className={`numbers absolute top-0.5 right-1 min-w-4 rounded-full bg-accent px-1 text-center text-xs text-accent-ink ${slim ? "" : "lg:static"}`}>
      {count}
      <span className="sr-only"> waiting for you</span>
    </span>
  );
}

function entry(active: boolean): string {
  return `relative flex h-12 min-w-9 max-w-24 flex-1 flex-col items-center justify-center gap-0.5 rounded-md px-2.5 text-sm font-medium transition-colors sm:h-9 sm:max-w-none sm:flex-none sm:flex-row sm:justify-start sm:gap-2.5 sm:pointer-coarse:h-11 ${
    active ? "bg-hover text-ink" : "text-soft hover:bg-hover hover:text-ink"
  }`;
}

function Icon({ of: Of }: { of: LucideIcon }) {
  return <Of className="size-4 shrink-0" aria-hidden />;
}

const ALL = "*";

function NamespaceSwitcher({ words }: { words: string }) {
  const { me } = useAuth();
  const [namespace, choose] = useNamespace();
  const label = namespace ?? "All namespaces";
  return (
    <Menu
      align="start"
      trigger={
        <button type="button" className={entry(false)} title={`Namespace: ${label}`} aria-label={`Namespace: ${label}`}>
          <Icon of={Boxes} />
          <span className={`${words} w-full min-w-0 truncate text-center lg:flex-1 lg:text-left`}>
            {namespace ?? (
              <>
                All<span className="hidden lg:inline"> namespaces</span>
              </>
            )}
          </span>
        </button>
      }
    >
      <MenuLabel>Namespace</MenuLabel>
      <MenuChoice
        value={namespace ?? ALL}
        onChange={(value) => choose(value === ALL ? undefined : value)}
        choices={[{ value: ALL, label: "All namespaces" }, ...me.namespaces.map(({ name }) => ({ value: name, label: name }))]}
      />
    </Menu>
  );
}

/** Says when what is on the page may be old. */
function StreamMark({ words }: { words: string }) {
  const { live } = useAuth();
  const state = useStreamState(live);
  if (state !== "down") return <span role="status" className="sr-only" />;
  return (
    <button type="button" onClick={() => live.retry()} title="No live updates: what you see may be old. Try now." className={`${entry(false)} text-busy`}>
      <span className="relative flex size-4 shrink-0 items-center justify-center" aria-hidden>
        <span className="size-2 rounded-full bg-busy" />
      </span>
      <span role="status" className={`${words} text-left`}>
        No live updates
      </span>
    </button>
  );
}

function UserMenu({ words }: { words: string }) {
  const { me } = useAuth();
  const choice = useThemeChoice();
  const theme = useTheme();
  const logout = async (): Promise<void> => {
    await api.logout().catch(() => undefined);
    window.location.assign("/login");
  };
  return (
    <Menu
      trigger={
        <button type="button" className={entry(false)} title={me.username} aria-label="User menu">
          <Icon of={User} />
          <span className={`${words} w-full min-w-0 truncate text-center lg:flex-1 lg:text-left`}>{shortUser(me.username)}</span>
        </button>
      }
    >
      <MenuLabel>
        <span className="block max-w-64 break-all">{me.username}</span>
      </MenuLabel>
      <MenuLine />
      <MenuLabel>Theme</MenuLabel>
      <MenuChoice
        value={choice}
        onChange={(value) => chooseTheme(value as ThemeChoice)}
        choices={[
          { value: "system", label: "As the system" },
          { value: "light", label: "Light" },
          { value: "dark", label: "Dark" },
        ]}
      />
      <MenuLine />
      <MenuItem icon={theme === "dark" ? Sun : Moon} onSelect={() => chooseTheme(theme === "dark" ? "light" : "dark")}>
        {theme === "dark" ? "Switch to light" : "Switch to dark"}
      </MenuItem>
      <MenuItem icon={LogOut} onSelect={() => void logout()}>
        Log out
      </MenuItem>
    </Menu>
  );
}

/** A service account is known by its last part. */
function shortUser(name: string): string {
  return name.split(":").at(-1) ?? name;
}
