import { expect, test, type Page } from "@playwright/test";
import { createRun, namespace, untilRunEnds } from "../support/api";
import { uniqueName } from "../support/environment";
import { missingRepository } from "../support/forge";

/** Nothing listens there. */
const NOWHERE = "http://127.0.0.1:9/nothing.git";

const spec = (plan = "# Do nothing\n\n```sh\ntrue\n```\n"): object => ({ repository: { url: missingRepository() }, title: "Do nothing", plan, maxAttempts: 1 });

/** One that waits for its image for longer than a test takes. */
const waiting = (): object => ({ ...spec(), image: "fabrica.invalid/no/such:image" });

async function editor(page: Page) {
  const content = page.getByRole("dialog").locator(".cm-content");
  await content.waitFor();
  return content;
}

test("the dialog says what the API would say, keeps what was typed, and starts a run", async ({ page }) => {
  const name = uniqueName("run");
  await page.goto("/runs");
  await page.getByRole("button", { name: "New run" }).first().click();
  const dialog = page.getByRole("dialog", { name: "New run" });
  await dialog.getByLabel("Begin from").fill("a..b");
  await dialog.getByRole("button", { name: "Start run" }).click();
  await expect(dialog.getByRole("alert").filter({ hasText: "repository.url must be set" })).toBeVisible();
  await expect(dialog.getByRole("alert").filter({ hasText: "repository.branch must not be '@'" })).toBeVisible();
  await expect(dialog.getByRole("alert").filter({ hasText: "spec.plan must not be empty" })).toBeVisible();

  await dialog.getByLabel("Repository", { exact: true }).fill(NOWHERE);
  await dialog.getByLabel("Begin from").fill("main");
  await (await editor(page)).fill("# Typed plan");
  await dialog.getByText("More", { exact: true }).click();
  await dialog.getByRole("textbox", { name: "Name", exact: true }).fill(name);
  await page.reload();
  await expect(await editor(page)).toContainText("Typed plan");
  await dialog.getByRole("button", { name: "Start run" }).click();
  await expect(page).toHaveURL(new RegExp(`/ns/${await namespace()}/runs/${name}$`));
  await expect(page.getByRole("heading", { name: "Typed plan", level: 1 })).toBeVisible();
  await expect(page.getByRole("region", { name: "Plan" })).toContainText("Typed plan");
});

test("a work item takes the place of the plan, and a script asks no model", async ({ page }) => {
  await page.goto("/runs?new");
  const dialog = page.getByRole("dialog", { name: "New run" });
  await dialog.getByLabel("Work", { exact: true }).selectOption({ label: "A work item of the forge" });
  await dialog.getByLabel("Work item").fill("shop");
  await dialog.getByLabel("Budget in USD").fill("0");
  await dialog.getByRole("button", { name: "Start run" }).click();
  await expect(dialog.getByRole("alert").filter({ hasText: "spec.workId must be the number of an issue" })).toBeVisible();
  await expect(dialog.getByRole("alert").filter({ hasText: "agent.budgetUSD must be a decimal number above 0" })).toBeVisible();
  await dialog.getByLabel("Agent").selectOption("Script");
  await expect(dialog.getByLabel("Budget in USD")).toBeHidden();
});

test("front matter of a file goes into the fields, and its mistakes name line and field", async ({ page }) => {
  await page.goto("/runs?new");
  const dialog = page.getByRole("dialog", { name: "New run" });
  const open = (text: string) => dialog.getByLabel("Plan file").setInputFiles({ name: `${uniqueName("plan")}.md`, mimeType: "text/markdown", buffer: Buffer.from(text) });
  await open(`---\nrepo: ${NOWHERE}\ncolour: red\n---\n# Plan\n`);
  await expect(dialog.getByRole("alert")).toContainText("line 3, colour: this field does not exist");
  await open(`---\nrepo: ${NOWHERE}\nbase: main\n---\n# Plan\n`);
  await expect(dialog.getByLabel("Repository", { exact: true })).toHaveValue(NOWHERE);
  await expect(dialog.getByLabel("Begin from")).toHaveValue("main");
  await expect(await editor(page)).toHaveText("# Plan");
});

test("a plan file that is dropped on the editor is read like one that is opened", async ({ page }) => {
  await page.goto("/runs?new");
  const content = await editor(page);
  const transfer = await page.evaluateHandle((text) => {
    const dragged = new DataTransfer();
    dragged.items.add(new File([text], "plan.md", { type: "text/markdown" }));
    return dragged;
  }, `---\nrepo: ${NOWHERE}\ntitle: Dropped\n---\n# Dropped plan\n`);
  await content.dispatchEvent("drop", { dataTransfer: transfer });
  const dialog = page.getByRole("dialog", { name: "New run" });
  await expect(dialog.getByLabel("Repository", { exact: true })).toHaveValue(NOWHERE);
  await expect(dialog.getByLabel("Title")).toHaveValue("Dropped");
  // Once, and without its front matter: the editor did not take the file as text, too.
  await expect(content).toHaveText("# Dropped plan");
});

test("the list follows the cluster, filters by URL, and cancel asks first", async ({ page }) => {
  const name = uniqueName("cancel");
  await page.goto(`/runs?namespace=${await namespace()}`);
  await createRun(name, waiting());
  const row = page.getByRole("listitem").filter({ hasText: name });
  await expect(row).toBeVisible();
  await row.getByRole("button", { name: `Actions for ${name}` }).click();
  await page.getByRole("menuitem", { name: "Cancel…" }).click();
  const dialog = page.getByRole("dialog", { name: `Cancel ${name}?` });
  await expect(dialog.getByRole("button", { name: "Let it go on" })).toBeFocused();
  await dialog.getByRole("button", { name: "Cancel run" }).click();
  await expect(row.locator("[data-state=cancelled]")).toBeVisible({ timeout: 90_000 });
  await page.goto(`/runs?namespace=${await namespace()}&state=completed`);
  await expect(row).toBeHidden();
  await page.goto(`/runs?namespace=${await namespace()}&state=cancelled`);
  await expect(row).toBeVisible();
});

test("a run that failed says why, and is tried again with another plan", async ({ page }) => {
  const name = uniqueName("failed");
  await createRun(name, spec());
  await untilRunEnds(name);
  await page.goto(`/ns/${await namespace()}/runs/${name}`);
  await expect(page.getByRole("alert", { name: "State" })).toContainText("Reason:");
  await expect(page.getByRole("region", { name: "Attempts" })).toContainText("Attempt 1");
  await page.getByRole("button", { name: "Retry" }).click();
  await (await editor(page)).fill("# Another plan");
  await page.getByRole("button", { name: "Retry with this plan" }).click();
  await expect(page).toHaveURL(new RegExp(`/runs/${name}-`));
  await expect(page.getByRole("region", { name: "Plan" })).toContainText("Another plan");
});

test("delete says what is lost, and YAML is at hand", async ({ page }) => {
  const name = uniqueName("delete");
  await createRun(name, waiting());
  await page.goto(`/ns/${await namespace()}/runs/${name}`);
  await page.getByRole("button", { name: "Run menu" }).click();
  await page.getByRole("menuitem", { name: "Show YAML" }).click();
  await expect(page.getByRole("dialog").getByLabel("YAML", { exact: true })).toContainText("kind: Run");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Run menu" }).click();
  await page.getByRole("menuitem", { name: "Delete…" }).click();
  const dialog = page.getByRole("dialog", { name: `Delete ${name}?` });
  await expect(dialog).toContainText("not pushed yet");
  await dialog.getByRole("button", { name: "Delete run" }).click();
  await expect(page).toHaveURL(/\/runs$/);
  await expect(page.getByText(`demo/${name}`, { exact: true })).toBeHidden({ timeout: 60_000 });
});

test("the editor lets the keyboard out", async ({ page }) => {
  await page.goto("/runs?new");
  await (await editor(page)).focus();
  await page.keyboard.type("# Typed");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("dialog").getByLabel("Title")).toBeFocused();
});
