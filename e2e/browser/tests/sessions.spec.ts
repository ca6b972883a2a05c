import { expect, test } from "@playwright/test";
import { createSession, namespace, untilReady } from "../support/api";
import { uniqueName } from "../support/environment";
import { Terminal } from "../support/terminal";

test("the dialog says what the API would say, and creates a session", async ({ page }) => {
  const name = uniqueName("dialog");
  await page.goto("/sessions");
  await page.getByRole("button", { name: "New session" }).first().click();
  const dialog = page.getByRole("dialog", { name: "New session" });
  await dialog.getByRole("textbox", { name: "Name", exact: true }).fill("Dotted.Name");
  await dialog.getByLabel("Branch").fill("b".repeat(101));
  await dialog.getByRole("button", { name: "Create session" }).click();
  await expect(dialog.getByRole("alert").filter({ hasText: "without dots" })).toBeVisible();
  await expect(dialog.getByRole("alert").filter({ hasText: "1 to 100 characters" })).toBeVisible();

  await dialog.getByRole("textbox", { name: "Name", exact: true }).fill(name);
  await dialog.getByLabel("Branch").fill("");
  await dialog.getByLabel("Volume size").fill("1Gi");
  await page.reload();
  await expect(dialog.getByRole("textbox", { name: "Name", exact: true })).toHaveValue(name);
  await dialog.getByRole("button", { name: "Create session" }).click();
  await expect(page).toHaveURL(new RegExp(`/ns/${await namespace()}/sessions/${name}$`));
  await new Terminal(page).connected();
});

test("an error of the API stands beside its field, and what was typed stays", async ({ page }) => {
  const name = uniqueName("twice");
  await createSession(name, {});
  await page.goto("/sessions?new");
  const field = page.getByRole("textbox", { name: "Name", exact: true });
  await field.fill(name);
  await page.getByRole("button", { name: "Create session" }).click();
  await expect(page.getByRole("dialog").getByRole("alert")).toContainText("exists");
  await expect(field).toHaveValue(name);
});

test("the list follows the cluster without a reload, filters by URL, and delete says what is lost", async ({ page }) => {
  const name = uniqueName("live");
  await page.goto(`/sessions?namespace=${await namespace()}`);
  await createSession(name, { workspace: { size: "1Gi" } });
  const row = page.getByRole("listitem").filter({ has: page.getByRole("link", { name, exact: true }) });
  await expect(row).toBeVisible();
  await expect(row.locator("[data-state=ready]")).toHaveText("Ready", { timeout: 90_000 });

  await page.getByRole("button", { name: /^Stopped/ }).click();
  await expect(page).toHaveURL(/state=stopped/);
  await expect(row).toBeHidden();
  await page.goBack();
  await page.goto(`/sessions?namespace=${await namespace()}&state=ready`);
  await expect(row).toBeVisible();

  await row.getByRole("button", { name: `Actions for ${name}` }).click();
  await page.getByRole("menuitem", { name: "Delete…" }).click();
  const dialog = page.getByRole("dialog", { name: `Delete ${name}?` });
  await expect(dialog).toContainText("the 1Gi volume");
  await dialog.getByRole("button", { name: "Delete session" }).click();
  await expect(row).toBeHidden({ timeout: 60_000 });
});

test("a session that cannot start says why, in the list and on its page", async ({ page }) => {
  const name = uniqueName("noimage");
  await createSession(name, { image: "fabrica.invalid/no/such:image" });
  await page.goto(`/sessions?namespace=${await namespace()}`);
  const row = page.getByRole("listitem").filter({ has: page.getByRole("link", { name, exact: true }) });
  await expect(row).toContainText("fabrica.invalid/no/such:image", { timeout: 90_000 });
  await row.getByRole("link", { name }).click();
  await expect(page.getByRole("region", { name: /Terminal/ })).toContainText("fabrica.invalid/no/such:image");
});

test("YAML and the kubectl command are at hand", async ({ page }) => {
  const name = uniqueName("yaml");
  await createSession(name, { workspace: { size: "1Gi" } });
  await page.goto("/sessions");
  await page.getByRole("button", { name: `Actions for ${name}` }).click();
  await page.getByRole("menuitem", { name: "Copy kubectl command" }).click();
  await expect(page.getByText("Command copied", { exact: true })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain(`kubectl get fsess ${name}`);
  await page.getByRole("button", { name: `Actions for ${name}` }).click();
  await page.getByRole("menuitem", { name: "Show YAML" }).click();
  await expect(page.getByRole("dialog").getByLabel("YAML", { exact: true })).toContainText("kind: Session");
});

test("suspend stops a session, its page says so, and Start again brings it back", async ({ page }) => {
  const name = uniqueName("suspend");
  await createSession(name, { workspace: { size: "1Gi" } });
  await untilReady(name);
  await page.goto(`/ns/${await namespace()}/sessions/${name}`);
  await new Terminal(page).connected();
  await page.getByRole("button", { name: "Session menu" }).click();
  await page.getByRole("menuitem", { name: "Suspend" }).click();
  await expect(page.locator("[data-connection=held]")).toContainText("Session stopped", { timeout: 60_000 });
  await page.reload();
  await expect(page.getByRole("heading", { name: "Session stopped" })).toBeVisible();
  await page.getByRole("button", { name: "Start again" }).click();
  await new Terminal(page).connected();
});
