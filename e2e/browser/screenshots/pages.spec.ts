import { expect, test, type Page } from "@playwright/test";
import { createRun, createSession, namespace, removeRun, removeSession, untilReady, untilRunEnds } from "../support/api";
import { CHROMIUM_FLAGS } from "../support/environment";
import { openIssue, scriptedRun } from "../support/forge";
import { choose } from "../support/form";
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

/** Runs as people have them: one that is done, one that works, one that was refused. */
const RUNS: Record<string, object> = {
  "add-one-and-two": scriptedRun("Add one and two", "happy"),
  "index-the-catalogue": scriptedRun("Index the catalogue", "hang"),
  "round-to-cents": scriptedRun("Round to cents", "unauthorized"),
};

/** A conversation that waits for a human: the scripted model asks one thing on its way through the phases. */
const CHAT = "squeaking-door";

test.beforeAll(async () => {
  const repository = process.env.FABRICA_FORGE_REPOSITORY ?? "";
  const item = await openIssue(repository, "The door squeaks", "It does so since the heating is on.\n\nscenario: faber\n");
  await createSession(CHAT, { mode: "Chat", workId: `#${item}`, repository: { url: repository, forge: "Gitea" }, workspace: { size: "1Gi" } });
  for (const [name, spec] of Object.entries(RUNS)) await createRun(name, spec);
  await untilRunEnds("add-one-and-two");
  await untilRunEnds("round-to-cents");
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
  for (const name of [CHAT, ...Object.keys(SESSIONS)]) await removeSession(name);
  for (const name of Object.keys(RUNS)) await removeRun(name);
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
  pick: async (page) => {
    await page.goto("/sessions?new");
    await choose(page, /^Chat/);
    await page.getByLabel("Repository", { exact: true }).fill(process.env.FABRICA_FORGE_REPOSITORY ?? "");
    await page.getByLabel("Work item", { exact: true }).fill("door");
    await expect(page.getByRole("option").filter({ hasText: "The door squeaks" }).first()).toBeVisible();
  },
  terminal: async (page) => {
    await page.goto(`/ns/${await namespace()}/sessions/checkout`);
    await new Terminal(page).connected();
  },
  chat: async (page) => {
    await page.goto(`/ns/${await namespace()}/sessions/${CHAT}`);
    await expect(page.locator("[data-question]")).toContainText("Which oil?", { timeout: 60_000 });
  },
  runs: async (page) => {
    await page.goto(`/runs?namespace=${await namespace()}`);
    await expect(page.getByText("add-one-and-two").first()).toBeVisible();
  },
  run: async (page) => {
    await page.goto(`/ns/${await namespace()}/runs/add-one-and-two`);
    await expect(page.getByRole("link", { name: /pull/i }).first()).toBeVisible();
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
