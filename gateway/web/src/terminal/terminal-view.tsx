import { useEffect, useRef, useState } from "react";
import { useTheme } from "../layout/theme";
import type { PasteQuestion } from "./paste";
import { TerminalScreen, type ScreenOptions } from "./screen";
import { useSettings } from "./settings";
import { showsOnly } from "./tab";
import { panelId, tabId } from "./tab-ids";
import type { TerminalHandle } from "./use-terminal";

export interface ScreenEvents extends Omit<ScreenOptions, "place" | "theme" | "onInput" | "onBytes" | "onSize" | "onFocus" | "onPasteQuestion"> {
  onPasteQuestion: (tab: number, question: PasteQuestion) => void;
}

interface Props {
  tab: number;
  terminal: TerminalHandle;
  /** What is typed is for it from the beginning. */
  takesKeys: boolean;
  events: ScreenEvents;
}

/** One terminal's screen. Out of sight it stays as it is, and draws nothing. */
export function TerminalView({ tab, terminal: { status, connection, onScreen }, takesKeys, events }: Props) {
  const theme = useTheme();
  const settings = useSettings();
  const [place, setPlace] = useState<HTMLElement | null>(null);
  const [screen, setScreen] = useState<TerminalScreen>();
  const active = tab === status.active;
  const latest = useRef(events);
  useEffect(() => {
    latest.current = events;
  }, [events]);
  // What the screen is made with; later changes reach it through the effects below.
  const first = useRef({ theme, takesKeys });

  useEffect(() => {
    if (place === null || connection === undefined) return;
    const made = new TerminalScreen({
      place,
      theme: first.current.theme,
      onInput: (text, auto) => connection.input(tab, text, auto),
      onBytes: (bytes) => connection.inputBytes(tab, bytes),
      onSize: (size) => connection.resize(tab, size),
      onFocus: () => connection.focus(tab),
      onShortcut: (what) => latest.current.onShortcut(what),
      onHiddenLink: (uri) => latest.current.onHiddenLink(uri),
      onFile: (file) => latest.current.onFile(file),
      onPasteQuestion: (question) => latest.current.onPasteQuestion(tab, question),
      onOffer: (text) => latest.current.onOffer(text),
      onFound: (found) => latest.current.onFound(found),
      onControl: (held) => latest.current.onControl(held),
    });
    connection.place(tab, made, made.size);
    onScreen(tab, made);
    setScreen(made);
    if (first.current.takesKeys) made.focus();
    return () => {
      connection.unplace(tab);
      made.dispose();
      onScreen(tab, undefined);
      setScreen(undefined);
    };
  }, [place, connection, tab, onScreen]);

  useEffect(() => {
    if (screen === undefined || connection === undefined) return;
    screen.setInSight(active);
    if (active) connection.show(tab, screen.size);
  }, [screen, connection, active, tab]);
  useEffect(() => screen?.setTheme(theme), [screen, theme]);
  useEffect(() => screen?.apply(settings), [screen, settings]);
  const takesNothing = status.viewOnly || showsOnly(status.tabs, tab);
  useEffect(() => screen?.setViewOnly(takesNothing), [screen, takesNothing]);

  return (
    <div role="tabpanel" id={panelId(tab)} aria-labelledby={tabId(tab)} className={`absolute inset-0 ${active ? "" : "hidden"}`}>
      <div ref={setPlace} className="absolute inset-0 pt-2 pl-3" />
    </div>
  );
}
