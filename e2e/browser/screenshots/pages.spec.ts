import { expect, test, type Page } from "@playwright/test";
import { createSession, namespace, removeSession, untilReady } from "../support/api";
import { Terminal } from "../support/terminal";

const FOLDER = "../../docs/screenshots";
const WIDTHS = [
  [360, 740],
  [768, 900],
  [1440, 860],
] as const;

/** Sessions as people have them: one that works, one that waits, one that cannot start, one that was stopped. */
const SESSIONS: Record<string, object> = {
  checkout: { workspace: { size: "2Gi" } },
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
  await new Terminal(page).connected();
  await page.locator(".xterm-helper-textarea").focus();
  const lines = ["git init -q shop && cd shop", "printf '# Checkout\\n' > README.md && git add . && git commit -qm 'Begin' && git log --oneline --color", "ls -la --color"];
  for (const line of lines) {
    await page.keyboard.type(line);
    await page.keyboard.press("Enter");
  }
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
    await expect(page.getByText("fabrica.invalid/team/search:1.4").first()).toBeVisible();
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
      }
      await context.close();
    });
  }
}
