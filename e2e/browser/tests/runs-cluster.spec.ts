import { expect, test } from "@playwright/test";
import { readFile } from "node:fs/promises";
import { createRun, namespace, removeRun } from "../support/api";
import { uniqueName } from "../support/environment";
import { scriptedRun } from "../support/forge";

/** A pod, an agent, a question and a pull request on a busy machine. */
test.setTimeout(300_000);

const STARTED = { timeout: 120_000 };
const STEP = { timeout: 60_000 };

test("a run is watched from its start to the pull request, and its question answered on the way", async ({ page }) => {
  const name = uniqueName("watched");
  await createRun(name, scriptedRun("Add one and two", "ask"));
  try {
    await page.goto(`/ns/${await namespace()}/runs/${name}`);
    await expect(page.getByRole("heading", { name: "Add one and two", level: 1 })).toBeVisible();
    await page.evaluate(() => Object.assign(window, { loaded: "once" }));

    const log = page.getByRole("log", { name: "Messages" });
    await expect(log.getByText("I begin.")).toBeVisible(STARTED);
    const card = page.locator("[data-question]");
    await expect(card).toContainText("Which colour?", STEP);
    await expect(page).toHaveTitle(new RegExp(`^\\([1-9][0-9]*\\) ${name}`));
    await card.getByRole("radio", { name: "blue" }).check();
    await card.getByRole("button", { name: "Send answer" }).click();
    await expect(log).toContainText(/answered at .*: blue/, STARTED);
    await expect(log.getByText("All is done.")).toBeVisible(STARTED);
    await expect(card).toBeHidden();

    const verdict = page.getByRole("status", { name: "State" });
    await expect(verdict).toContainText("Completed", STEP);
    await expect(verdict).toContainText("Reason: Succeeded");
    const pull = page.getByRole("region", { name: "Result" }).getByRole("link");
    await expect(pull).toHaveAttribute("href", /\/pulls\/\d+$/);
    const changed = log.getByRole("group").filter({ hasText: "2 files changed" });
    await changed.getByText("2 files changed").click();
    for (const file of ["one", "two"]) await expect(changed.getByRole("cell", { name: file, exact: true })).toBeVisible();
    await expect(page.getByRole("region", { name: "Cost" })).toContainText(/\$\d+\.\d+ of \$0\.50/);
    await expect(page.getByRole("region", { name: "Attempts" })).toContainText("Succeeded");
    expect(await page.evaluate(() => (window as unknown as { loaded?: string }).loaded)).toBe("once");

    const saving = page.waitForEvent("download");
    await page.getByRole("button", { name: /^Journal/ }).click();
    const lines = (await readFile(await (await saving).path(), "utf8")).trimEnd().split("\n");
    const messages = lines.map((line) => JSON.parse(line) as { seq: number; content: { message: string; metadata: { kind: string } } });
    expect(messages.map(({ seq }) => seq)).toEqual(messages.map((_, at) => at + 1));
    for (const [kind, words] of [["said", "I begin."], ["question", "Which colour?"], ["answered", "blue"], ["said", "All is done."]]) {
      expect(messages.filter(({ content }) => content.metadata.kind === kind && content.message === words), `${kind}: ${words}`).toHaveLength(1);
    }
  } finally {
    await removeRun(name);
  }
});
