// What an agent ran in a shell, as something that a person may run too. Pure.

/** The agent's tool that runs a command. */
const SHELL = "Bash";

/** What fits a line that somebody reads before entering it. */
const COMMAND_CHARACTERS = 4_096;

/** Commands that were too long for the journal end so. */
const CUT = "… (cut)";

/** The whole command of a tool's call; none of another tool, and none that holds more than a person sees. */
export function commandOf({ name, input }: { name: string; input: string }): string | undefined {
  const command = input.replaceAll("\r\n", "\n").trim();
  if (name !== SHELL || command === "" || command.length > COMMAND_CHARACTERS || command.endsWith(CUT)) return undefined;
  // Control characters are keys to a terminal, and nothing of them is to be seen.
  return /[^\P{C}\n\t]/u.test(command) ? undefined : command;
}
