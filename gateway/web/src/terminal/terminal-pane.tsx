import { useEffect, useMemo, useRef, useState } from "react";
import type { Session } from "../api/types";
import { Button } from "../components/button";
import { copyText } from "../components/copy";
import { useMedia } from "../components/media";
import { useTell } from "../components/toast";
import { useAuth } from "../layout/auth";
import { StartProgress } from "../link/start-progress";
import { inWorkspace, type FilePlace } from "./file-links";
import type { Found } from "./finder";
import { KeyBar } from "./key-bar";
import { LinkDialog } from "./link-dialog";
import type { PasteQuestion } from "./paste";
import { PasteDialog } from "./paste-dialog";
import { SearchBar } from "./search-bar";
import { changeSettings, clampFont, settings, USUAL_FONT } from "./settings";
import type { Shortcut } from "./shortcuts";
import { showsOnly } from "./tab";
import { TerminalNotice } from "./terminal-notice";
import { TerminalView, type ScreenEvents } from "./terminal-view";
import type { TerminalHandle } from "./use-terminal";

interface Props {
  session: Session;
  terminal: TerminalHandle;
  starting: boolean;
  onStart: () => void;
  takesKeys: boolean;
  finding: boolean;
  onFind: (finding: boolean) => void;
  /** The user wants out of the terminal by keyboard. */
  onLeave: () => void;
  /** Shows where a file of the workspace lies, where the page can. */
  onFile?: (path: string) => void;
}

/** The terminals' screens, what stands there before they do, and what there is to decide. */
export function TerminalPane({ session, terminal, starting, onStart, takesKeys, finding, onFind, onLeave, onFile }: Props) {
  const { status, connection, screen } = terminal;
  const { askForLogin } = useAuth();
  const tell = useTell();
  const needsKeys = useMedia("(pointer: coarse), (max-width: 40rem)");
  /** A paste is for the screen that it was made in, whichever is in sight when it is answered. */
  const [asked, setAsked] = useState<{ tab: number; question: PasteQuestion }>();
  const [link, setLink] = useState<string>();
  const [offer, setOffer] = useState<string>();
  const [found, setFound] = useState<Found>({ at: 0, count: 0 });
  const [control, setControl] = useState(false);
  const shown = useFocusOnSwitch(terminal);
  const events = useMemo<ScreenEvents>(() => {
    const cwd = status.tabs.find(({ tab }) => tab === status.active)?.cwd ?? "";
    return {
      onShortcut: (what) => {
        if (what === "leave") onLeave();
        else if (what === "find") onFind(true);
        else act(what, terminal);
      },
      onHiddenLink: setLink,
      onFile: ({ path, line }: FilePlace) => {
        const inside = inWorkspace(path, cwd);
        void copyText(`${path}:${line}`).then((copied) => copied && tell(`Copied ${path}:${line}`));
        if (inside !== undefined) onFile?.(inside);
      },
      onPasteQuestion: (tab, question) => setAsked({ tab, question }),
      // What is shown again was offered before.
      onOffer: (text) => status.isShown && setOffer(text),
      onFound: setFound,
      onControl: setControl,
    };
  }, [status.tabs, status.active, status.isShown, terminal, onLeave, onFind, onFile, tell]);

  return (
    <div className="flex min-h-0 min-w-0 flex-1 flex-col">
      <div className="relative min-h-0 flex-1 overflow-hidden bg-terminal" role="region" aria-label="Terminal. Control Shift Up leaves it.">
        {status.tabs.filter(({ tab, seen }) => seen || tab === status.active).map(({ tab }) => <TerminalView key={tab} tab={tab} terminal={terminal} takesKeys={takesKeys || shown} events={events} />)}
        {/* Over the screen, for the room of a line would be taken from it: a program would be given another size for no more than news. */}
        <div className="pointer-events-none absolute top-1 right-4 z-20 flex w-[30rem] max-w-[calc(100%-2rem)] flex-col items-end gap-1 *:pointer-events-auto">
          {finding && screen !== undefined && (
            <SearchBar
              screen={screen}
              found={found}
              onClose={() => {
                onFind(false);
                screen.focus();
              }}
            />
          )}
          <TerminalNotice session={session} terminal={terminal} starting={starting} onStart={onStart} onLogin={askForLogin} offer={offer} onOfferDone={() => setOffer(undefined)} />
        </div>
        {!status.established && (
          <div className="absolute inset-0 z-10 bg-terminal">
            <StartProgress session={session} last="Opening the terminal" starting={starting} onStart={onStart} />
          </div>
        )}
        {status.established && status.tabs.length === 0 && (
          <div className="absolute inset-0 z-10 grid place-content-center justify-items-center gap-3 bg-terminal text-center">
            <p className="text-soft">No terminal is open.</p>
            {!status.viewOnly && (
              <Button look="primary" disabled={status.opening || status.link !== "live"} onClick={() => connection?.open(false)}>
                New terminal
              </Button>
            )}
          </div>
        )}
      </div>
      {needsKeys && screen !== undefined && status.established && !status.viewOnly && !showsOnly(status.tabs, status.active) && <KeyBar screen={screen} control={control} />}
      {asked !== undefined && (
        <PasteDialog
          question={asked.question}
          onPaste={() => {
            setAsked(undefined);
            terminal.screens.get(asked.tab)?.confirmPaste(asked.question);
          }}
          onClose={() => setAsked(undefined)}
          focusAfter={() => screen?.focus()}
        />
      )}
      {link !== undefined && <LinkDialog target={link} onClose={() => setLink(undefined)} focusAfter={() => screen?.focus()} />}
    </div>
  );
}

/** Who goes to another tab wants to type there. Says whether that has happened. */
function useFocusOnSwitch({ status: { active }, screen }: TerminalHandle): boolean {
  const [first] = useState(active);
  const before = useRef(active);
  useEffect(() => {
    if (screen === undefined || active === before.current) return;
    if (before.current !== undefined) screen.focus();
    before.current = active;
  }, [active, screen]);
  return first !== undefined && active !== first;
}

function act(what: Exclude<Shortcut, "copy" | "leave" | "find">, { status, connection }: TerminalHandle): void {
  const { tabs, active, viewOnly, link } = status;
  const at = tabs.findIndex(({ tab }) => tab === active);
  const to = (step: number): void => {
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (next !== undefined) connection?.select(next.tab);
  };
  switch (what) {
    case "newTab":
      if (link === "live" && !viewOnly) connection?.open(false);
      return;
    case "tabBefore":
      return to(-1);
    case "tabBehind":
      return to(1);
    case "larger":
      return changeSettings({ fontSize: clampFont(settings().fontSize + 1) });
    case "smaller":
      return changeSettings({ fontSize: clampFont(settings().fontSize - 1) });
    case "usual":
      return changeSettings({ fontSize: USUAL_FONT });
    case "browser":
      return;
  }
}
