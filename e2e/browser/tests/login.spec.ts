import { expect, test } from "@playwright/test";
import { environment } from "../support/environment";

test.use({ storageState: { cookies: [], origins: [] } });

test("a page asks for a login first and leads back to itself", async ({ page }) => {
  await page.goto("/sessions?state=ready");
  await expect(page).toHaveURL(/\/login\?next=/);
  await page.getByLabel("Kubernetes token").fill(environment().token);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/sessions\?state=ready$/);
  await expect(page.getByRole("heading", { name: "Sessions", level: 1 })).toBeVisible();
});

test("a wrong token is refused in words, and stays in the form", async ({ page }) => {
  await page.goto("/login");
  await page.getByLabel("Kubernetes token").fill("not-a-token");
  await page.getByRole("button", { name: "Log in" }).click();
  await expect(page.getByRole("alert")).not.toBeEmpty();
  await expect(page.getByLabel("Kubernetes token")).toHaveValue("not-a-token");
});

test("logging out ends the login", async ({ page }) => {
  await page.goto("/login");
  await page.getByLabel("Kubernetes token").fill(environment().token);
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "User menu" }).click();
  await page.getByRole("menuitem", { name: "Log out" }).click();
  await expect(page).toHaveURL(/\/login/);
  await page.goto("/sessions");
  await expect(page).toHaveURL(/\/login/);
});
