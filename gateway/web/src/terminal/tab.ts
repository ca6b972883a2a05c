// A terminal as a tab: what the page shows of it, and what it goes by. Pure.

import type { TerminalInfo } from "./kterm";
import type { TerminalStream } from "./stream";

/** Why there is nothing behind a tab: the runtime is another process, or somebody closed it elsewhere. */
export type Gone = "restart" | "closed";

export interface Tab {
  /** Names the tab on this page. */
  tab: number;
  /** The terminal's number in the session. */
  terminal: number;
  /** Names the terminal over a reload. */
  name: string;
  title: string;
  cwd: string;
  agent: boolean;
  alive: boolean;
  /** Something was printed since it was looked at, or it rang. */
  activity: boolean;
  bell: boolean;
  closing: boolean;
  gone: Gone | undefined;
  /** Whether there is a screen that keeps what it showed. */
  seen: boolean;
}

/** A tab with all that belongs to it. */
export interface Slot {
  tab: number;
  stream: TerminalStream;
  info: TerminalInfo | undefined;
  activity: boolean;
  bell: boolean;
  closing: boolean;
  gone: Gone | undefined;
  /** There is a screen for it. */
  placed: boolean;
}

export function tabOf({ tab, stream, info, activity, bell, closing, gone, placed }: Slot): Tab {
  const title = info?.title ?? "";
  return {
    tab,
    terminal: stream.terminal,
    name: info === undefined ? "" : nameOf(info),
    title: title === "" ? `Terminal ${stream.terminal}` : title,
    cwd: info?.cwd ?? "",
    agent: info?.type === "agent",
    alive: gone === undefined && info?.alive !== false,
    activity,
    bell,
    closing,
    gone,
    seen: placed,
  };
}

export function sameTab(one: Tab, other: Tab | undefined): boolean {
  return other !== undefined && (Object.keys(one) as (keyof Tab)[]).every((key) => one[key] === other[key]);
}

/** Why it can be given no name now. */
export function hindranceOf(tab: Tab | undefined, live: boolean): string | undefined {
  if (tab === undefined || tab.gone !== undefined) return "This terminal is not there any more.";
  return live ? undefined : "There is no connection. The name can be given when it is back.";
}

/** The tab of what the agent runs. */
export function agentsTab(tabs: readonly Tab[]): number | undefined {
  return tabs.find(({ agent, gone, closing }) => agent && gone === undefined && !closing)?.tab;
}

/** Whether nothing is to be typed there, whoever looks: it has no program. */
export function showsOnly(tabs: readonly Tab[], tab: number | undefined): boolean {
  return tabs.some((each) => each.tab === tab && each.agent);
}

/** Whether closing it loses nothing: a shell says that it waits at its prompt, and is heard, for it is looked at. */
export function isIdle({ tab, alive, agent }: Tab, active: number | undefined, atPrompt: boolean | undefined): boolean {
  return !alive || agent || (tab === active && atPrompt === true);
}

/** A number may be used again, so a terminal is named by its key as well. */
export function nameOf({ id, key = "" }: TerminalInfo): string {
  return `${id}:${key.replace(/^0+/, "")}`;
}

export function sameKey(one: string | undefined, other: string | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return BigInt(`0x${one}`) === BigInt(`0x${other}`);
}
