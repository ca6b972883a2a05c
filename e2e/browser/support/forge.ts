// The demo's forge, a real Gitea: `make env` exports where it is.

/** Opens an issue in a repository that an address names; says its number. */
export async function openIssue(repository: string, title: string, body: string): Promise<number> {
  const { FABRICA_FORGE_URL: url, FABRICA_FORGE_TOKEN: token } = process.env;
  if (url === undefined || token === undefined) throw new Error('FABRICA_FORGE_URL and FABRICA_FORGE_TOKEN must be set: eval "$(make -s env)"');
  const path = new URL(repository).pathname.replace(/\.git$/, "");
  const response = await fetch(`${url}/api/v1/repos${path}/issues`, {
    method: "POST",
    headers: { authorization: `token ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ title, body }),
  });
  if (!response.ok) throw new Error(`an issue: ${response.status} ${await response.text()}`);
  return ((await response.json()) as { number: number }).number;
}

/** A repository that the forge does not have: a run of it fails at once and for good, where one of a host that does not answer is tried again. */
export function missingRepository(): string {
  const known = process.env.FABRICA_FORGE_REPOSITORY;
  if (known === undefined) throw new Error('FABRICA_FORGE_REPOSITORY must be set: eval "$(make -s env)"');
  return new URL("/demo/nothing.git", known).href;
}

/** A plan for the demo's repository, which the scripted model plays. */
export function scriptedRun(title: string, scenario: string): object {
  return {
    title,
    plan: `# ${title}\n\nThe shop has neither \`one\` nor \`two\`. Add both, each in a commit of its own, and say what you did.\n\nscenario: ${scenario}\n`,
    repository: { url: process.env.FABRICA_FORGE_REPOSITORY, forge: "Gitea" },
    agent: { driver: "Claude", budgetUSD: "0.50" },
  };
}
