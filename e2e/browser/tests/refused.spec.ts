// What the API refuses of a new session or run stands at its field, which takes the focus once.

import { expect, test } from "@playwright/test";

const REFUSAL = {
  title: "Unprocessable Entity",
  status: 422,
  detail: "It cannot be made so.",
  errors: [
    { field: "spec.repository.url", message: "There is no such repository." },
    { field: "spec.repository.branch", message: "There is no such branch." },
    { field: "spec.unknown", message: "Nobody knows this." },
  ],
};

for (const { what, act } of [
  { what: "sessions", act: "Create session" },
  { what: "runs", act: "Start run" },
]) {
  test(`two refused fields of new ${what}: the first takes the focus, and keeps what is typed there`, async ({ page }) => {
    await page.route(/\/namespaces\/[^/]+\/(sessions|runs)$/, (route) => (route.request().method() === "POST" ? route.fulfill({ status: 422, contentType: "application/problem+json", json: REFUSAL }) : route.continue()));
    await page.goto(`/${what}?new`);
    const dialog = page.getByRole("dialog");
    const url = dialog.getByLabel("Repository", { exact: true });
    await url.fill("https://git.example.com/a/b.git");
    if (what === "runs") await dialog.locator(".cm-content").fill("# Do it");
    await dialog.getByRole("button", { name: act }).click();
    await expect(dialog.getByText("There is no such branch.")).toBeVisible();
    await expect(dialog.getByText("spec.unknown: Nobody knows this.")).toBeVisible();
    await expect(url).toBeFocused();
    await page.keyboard.press("End");
    await page.keyboard.type("xyz");
    await expect(url).toHaveValue("https://git.example.com/a/b.gitxyz");
    await expect(dialog.getByText("There is no such repository.")).toHaveCount(0);
    await expect(dialog.getByText("There is no such branch.")).toBeVisible();
  });
}

test("a list of a state that there is not stands", async ({ page }) => {
  await page.goto("/sessions?state=nonsense");
  await expect(page.getByRole("heading", { name: "Sessions", level: 1 })).toBeVisible();
});
