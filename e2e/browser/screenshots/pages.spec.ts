import { expect, test, type Page } from "@playwright/test";
import { createSession, namespace, removeSession, untilReady } from "../support/api";
import { CHROMIUM_FLAGS } from "../support/environment";
import { READABLE, Terminal } from "../support/terminal";

test.use({ launchOptions: { executablePath: "/usr/bin/chromium", args: [...CHROMIUM_FLAGS, ...READABLE] } });

const FOLDER = "../../docs/screenshots";
const WIDTHS = [
  [360, 740],
  [768, 900],
  [1440, 860],
] as const;

/** Sessions as people have them: one that works, one that waits, one that cannot start, one that was stopped. */
const SESSIONS: Record<string, object> = {
  checkout: { workspace: { size: "2Gi" }, git: { userName: "Demo", userEmail: "demo@example.com" } },
  scratch: {},
  "search-index": { image: "fabrica.invalid/team/search:1.4", workspace: { size: "1Gi" } },
  "legacy-migration": { workspace: { size: "1Gi" }, operatingMode: "Suspended" },
};

test.beforeAll(async () => {
  for (const [name, spec] of Object.entries(SESSIONS)) await createSession(name, spec);
  await untilReady("checkout");
});

/** Once, so that every picture of the terminal shows the same. */
test("work in the terminal", async ({ page }) => {
  await page.goto(`/ns/${await namespace()}/sessions/checkout`);
  const terminal = new Terminal(page);
  await terminal.connected();
  await terminal.run("git init -q --initial-branch main shop && cd shop", "/shop$");
  await terminal.run("printf '# Shop\\n' > README.md && git add . && git commit -m 'Begin the shop'", "create mode");
  await terminal.run("git log --oneline --decorate --color", "main) Begin");
});

test.afterAll(async () => {
  for (const name of Object.keys(SESSIONS)) await removeSession(name);
});

const PAGES: Record<string, (page: Page) => Promise<void>> = {
  sessions: async (page) => {
    await page.goto(`/sessions?namespace=${await namespace()}`);
    await expect(page.getByRole("link", { name: "checkout", exact: true })).toBeVisible();
  },
  create: async (page) => {
    await page.goto("/sessions?new");
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("checkout-fix");
    await page.getByLabel("Repository", { exact: true }).fill("https://git.example.com/platform/checkout");
    await page.getByLabel("Branch").fill("fix/rounding");
  },
  terminal: async (page) => {
    await page.goto(`/ns/${await namespace()}/sessions/checkout`);
    await new Terminal(page).connected();
  },
  failed: async (page) => {
    await page.goto(`/ns/${await namespace()}/sessions/search-index`);
    await expect(page.getByRole("alert").filter({ hasText: "fabrica.invalid/team/search:1.4" })).toBeVisible({ timeout: 60_000 });
  },
};

for (const colorScheme of ["dark", "light"] as const) {
  for (const [width, height] of WIDTHS) {
    test(`${width} px, ${colorScheme}`, async ({ browser, baseURL }) => {
      const context = await browser.newContext({ baseURL, colorScheme, viewport: { width, height }, hasTouch: width === 360, reducedMotion: "reduce", storageState: "test-results/login.json" });
      const page = await context.newPage();
      for (const [name, go] of Object.entries(PAGES)) {
        await go(page);
        await page.evaluate(() => document.fonts.ready);
        await page.screenshot({ path: `${FOLDER}/${name}-${width}-${colorScheme}.png` });
        if (name === "terminal" && width === 1440 && colorScheme === "dark") await page.screenshot({ path: `${FOLDER}/terminal.png` });
      }
      await context.close();
    });
  }
}
