// A chat in the page's words. Pure.

import type { Tone } from "../link/words";
import type { LinkName } from "../link/link";
import type { SessionSpec } from "../api/types";
import type { Entry, Ended, Spoken } from "./entries";
import type { AgentState, Tokens } from "./protocol";
import type { Chat, Phase } from "./state";

/** The phases of the workflow that is built in, in their order. */
const CORE = ["frame", "architect", "build", "evaluate", "release"];

export interface PhaseMark {
  name: string;
  phase: Phase | undefined;
}

/** The phases that were told of, among those that are to come. */
export function phaseMarks(phases: readonly Phase[], workflow: SessionSpec["workflow"]): PhaseMark[] {
  if (phases.length === 0 && workflow === "None") return [];
  const others = phases.filter(({ name }) => !CORE.includes(name)).map(({ name }) => name);
  return [...CORE, ...others].map((name) => ({ name, phase: phases.find((each) => each.name === name) }));
}

export function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

export const AGENT_WORDS: Record<AgentState, { text: string; tone: Tone }> = {
  starting: { text: "Agent starting", tone: "busy" },
  idle: { text: "Agent idle", tone: "rest" },
  working: { text: "Agent working", tone: "busy" },
  waiting: { text: "Waiting for you", tone: "good" },
  restarting: { text: "Agent restarting", tone: "busy" },
  stopped: { text: "Agent stopped", tone: "rest" },
  failed: { text: "Agent failed", tone: "bad" },
};

/** What will become of what is sent now. */
export function sendHint(agent: AgentState, link: LinkName): string {
  if (link !== "live") return "Kept here and sent when the connection is back";
  switch (agent) {
    case "starting":
    case "restarting":
      return "Queued until the agent is ready";
    case "working":
      return "Queued until the current step ends";
    case "waiting":
      return "Queued until the question is answered";
    case "stopped":
      return "Kept until the session runs again";
    case "failed":
      return "Starts the agent again";
    case "idle":
      return "The agent begins at once";
  }
}

/** Whether a workflow may be asked for: the runtime has one at a time, and an agent that starts may begin its own. */
export function mayStart({ caughtUp, maySpeak, work, agent }: Chat, link: LinkName): boolean {
  return link === "live" && caughtUp && maySpeak && work === undefined && agent.state !== "starting" && agent.state !== "stopped";
}

/** Whether an interrupt would end the workflow: one of an agent that works ends its turn only. */
export function mayCancel({ maySpeak, work, agent }: Chat, link: LinkName): boolean {
  return link === "live" && maySpeak && work !== undefined && agent.state === "idle";
}

export const SPOKEN_WORDS: Record<Spoken["state"], string | undefined> = { queued: "Queued", started: "The agent works on it", completed: undefined, cancelled: "Cancelled" };

export function endWords({ exitCode }: Ended): { text: string; good: boolean } {
  switch (exitCode) {
    case 0:
      return { text: "The work item is done", good: true };
    case 2:
      return { text: "Stopped: no budget or turns are left", good: false };
    case 3:
      return { text: "The work was cancelled", good: false };
    case 4:
      return { text: "The work failed, and not by the agent’s fault", good: false };
    default:
      return { text: "The work failed", good: false };
  }
}

/** How far a workflow goes by itself, as a person would say it. */
export const AUTONOMY: { value: NonNullable<SessionSpec["autonomy"]>; label: string; hint: string }[] = [
  { value: "DryRun", label: "Plan only", hint: "It reads and plans, and changes nothing." },
  { value: "Assist", label: "Build, publish nothing", hint: "It builds and checks in the workspace; pushing is yours." },
  { value: "Guarded", label: "Ask before publishing", hint: "It asks you before it opens the pull request." },
  { value: "Autonomous", label: "Go all the way", hint: "It opens the pull request by itself." },
];

/** What it means for a person. The wire begins its words with a small letter. */
export function autonomyWords(told: string): string {
  return AUTONOMY.find(({ value }) => value.toLowerCase() === told.toLowerCase())?.hint ?? told;
}

const CLASSES: [string, keyof Tokens][] = [
  ["Input", "input"],
  ["Output", "output"],
  ["Read from the cache", "cacheRead"],
  ["Written to the cache", "cacheWrite"],
];

/** Tokens of all models by class. */
export function tokens(usage: Chat["usage"]): [string, string][] {
  if (usage === undefined) return [];
  const models = Object.values(usage.models);
  return CLASSES.map(([words, name]) => [words, models.reduce((sum, each) => sum + each[name], 0).toLocaleString("en-GB")]);
}

/** What is read out when an entry is new; nothing for what comes too often to be heard. */
export function spokenAloud(entry: Entry): string | undefined {
  switch (entry.is) {
    case "said":
      return entry.final && !entry.thought ? `Agent: ${shortened(entry.text)}` : undefined;
    case "question":
      return entry.answer === undefined ? `The agent asks: ${shortened(entry.text)}` : undefined;
    case "phase":
      return entry.status === "started" ? `Phase ${entry.phase} begins` : undefined;
    case "error":
      return shortened(entry.text);
    case "ended":
      return endWords(entry).text;
    default:
      return undefined;
  }
}

const ALOUD = 200;

function shortened(text: string): string {
  return text.length > ALOUD ? `${text.slice(0, ALOUD)}…` : text;
}
