// What an agent ran in a shell: as something that a person may run too, and where its terminal shows it. Pure.

/** The agent's tool that runs a command. */
const SHELL = "Bash";

/** What fits a line that somebody reads before entering it. */
const COMMAND_CHARACTERS = 4_096;

/** Commands that were too long for the journal end so. */
const CUT = "… (cut)";

/** Characters at the end of a call's id that name it in the agent's terminal. */
const MARK_CHARACTERS = 6;

/** What begins the line of a command in the agent's terminal; none of another tool. */
export function headOf({ name, id }: { name: string; id: string }): string | undefined {
  return name === SHELL ? `[${id.replaceAll(/[^A-Za-z0-9]/g, "").slice(-MARK_CHARACTERS)}] $ ` : undefined;
}

/** The whole command of a tool's call; none of another tool, and none that holds more than a person sees. */
export function commandOf({ name, input }: { name: string; input: string }): string | undefined {
  const command = input.replaceAll("\r\n", "\n").trim();
  if (name !== SHELL || command === "" || command.length > COMMAND_CHARACTERS || command.endsWith(CUT)) return undefined;
  // Control characters are keys to a terminal, and nothing of them is to be seen.
  return /[^\P{C}\n\t]/u.test(command) ? undefined : command;
}
