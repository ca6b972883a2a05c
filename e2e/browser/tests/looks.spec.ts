import { expect, test, type Page } from "@playwright/test";
import { createRun, createSession, namespace, untilReady, untilRunEnds } from "../support/api";
import { missingRepository } from "../support/forge";
import { uniqueName } from "../support/environment";
import { expectNoSidewaysScroll, expectNoViolations } from "../support/looks";
import { Terminal } from "../support/terminal";

const name = uniqueName("looks");

test.beforeAll(async () => {
  await createSession(name, { workspace: { size: "1Gi" } });
  await untilReady(name);
  await createRun(name, { repository: { url: missingRepository() }, title: "Looks", plan: "# Plan\n\n```sh\ntrue\n```\n", maxAttempts: 1 });
  await untilRunEnds(name);
});

/** Every page and layer, by how one comes to it. */
const PAGES: [string, (page: Page) => Promise<void>][] = [
  ["the list", async (page) => {
    await page.goto("/sessions");
    await expect(page.getByRole("link", { name, exact: true })).toBeVisible();
  }],
  ["the empty list", async (page) => {
    await page.route("**/api/v1/sessions?*", (route) => route.fulfill({ json: { items: [] } }));
    await page.route("**/api/v1/events", (route) => route.abort());
    await page.goto("/sessions");
    await expect(page.getByRole("heading", { name: "No sessions yet" })).toBeVisible();
  }],
  ["the create dialog", async (page) => {
    await page.goto("/sessions?new");
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("Not.Good");
    await page.getByLabel("Branch").fill("x");
    await page.getByText("More", { exact: true }).click();
    await expect(page.getByRole("alert").first()).toBeVisible();
  }],
  ["a menu", async (page) => {
    await page.goto("/sessions");
    await page.getByRole("button", { name: `Actions for ${name}` }).click();
    await expect(page.getByRole("menu")).toBeVisible();
  }],
  ["the delete dialog", async (page) => {
    await page.goto("/sessions");
    await page.getByRole("button", { name: `Actions for ${name}` }).click();
    await page.getByRole("menuitem", { name: "Delete…" }).click();
    await expect(page.getByRole("dialog")).toBeVisible();
  }],
  ["the palette", async (page) => {
    await page.goto("/sessions");
    await page.getByRole("link", { name, exact: true }).waitFor();
    await page.keyboard.press("Control+k");
    await expect(page.getByRole("option").first()).toBeVisible();
  }],
  ["a terminal with its files", async (page) => {
    await page.goto(`/ns/${await namespace()}/sessions/${name}`);
    await new Terminal(page).connected();
    await page.getByRole("button", { name: "Files", exact: true }).click();
    await expect(page.getByRole("complementary", { name: "Files" })).toBeVisible();
  }],
  ["the list of runs", async (page) => {
    await page.goto("/runs");
    await expect(page.getByRole("link", { name: "Looks", exact: true })).toBeVisible();
  }],
  ["the dialog of a new run", async (page) => {
    await page.goto("/runs?new");
    await page.getByRole("dialog").locator(".cm-content").fill("---\ncolour: red\n---\n# Plan");
    await page.getByText("More", { exact: true }).click();
    await page.getByRole("button", { name: "Start run" }).click();
    await expect(page.getByRole("alert").first()).toBeVisible();
  }],
  ["a run", async (page) => {
    await page.goto(`/ns/${await namespace()}/runs/${name}`);
    await page.locator(".cm-content").waitFor();
  }],
  ["the dialog of a retry", async (page) => {
    await page.goto(`/ns/${await namespace()}/runs/${name}`);
    await page.getByRole("button", { name: "Retry" }).click();
    await page.getByRole("dialog").locator(".cm-content").waitFor();
  }],
  ["a session that is not there", async (page) => {
    await page.goto(`/ns/${await namespace()}/sessions/not-there`);
    await expect(page.getByRole("heading", { name: /There is no session/ })).toBeVisible();
  }],
];

for (const theme of ["dark", "light"] as const) {
  test.describe(`in the ${theme} theme`, () => {
    // Animations end at once, so that colours are what they will be.
    test.use({ colorScheme: theme, contextOptions: { reducedMotion: "reduce" } });

    for (const [what, go] of PAGES) {
      test(`${what} has no accessibility errors and fits 360 px`, async ({ page }) => {
        await go(page);
        await expectNoViolations(page);
        await page.setViewportSize({ width: 360, height: 740 });
        await expectNoViolations(page);
        await expectNoSidewaysScroll(page);
      });
    }

    test.describe("without a login", () => {
      test.use({ storageState: { cookies: [], origins: [] } });
      test("the login page has no accessibility errors and fits 360 px", async ({ page }) => {
        await page.goto("/login");
        await page.getByRole("button", { name: "Log in" }).click();
        await expectNoViolations(page);
        await page.setViewportSize({ width: 360, height: 740 });
        await expectNoSidewaysScroll(page);
      });
    });
  });
}

test("the theme can be chosen and is kept", async ({ page }) => {
  await page.emulateMedia({ colorScheme: "light" });
  await page.goto("/sessions");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "light");
  await page.getByRole("button", { name: "User menu" }).click();
  await page.getByRole("menuitemradio", { name: "Dark" }).click();
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});
