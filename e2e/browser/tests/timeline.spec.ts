import { expect, test, type Page } from "@playwright/test";
import { readFile } from "node:fs/promises";
import { expectNoSidewaysScroll, expectNoViolations } from "../support/looks";
import { inhabit, longStory, run, told } from "../support/world";

const changes = { files: [{ path: "src/invoice.ts", added: 4, removed: 2, binary: false }, { path: "logo.png", added: 0, removed: 0, binary: true }], more: 7, added: 1204, removed: 2 };
const messages = [
  told(1, "step", "Cloned repository", { step: "clone", type: "Finished" }),
  told(2, "phase", "Build Started.", { phase: "build", status: "started" }),
  told(3, "said", "I look at the failing test."),
  told(4, "toolStarted", "npm test\n--verbose", { id: "1", name: "Bash" }),
  told(5, "toolFinished", "expected 10.01, got 10.00", { id: "1", failed: true }),
  told(6, "toolStarted", "src/invoice.ts", { id: "2", name: "Read" }),
  told(7, "toolFinished", "export const sum = 1;", { id: "2", failed: false }),
  told(8, "question", "Which port?", { id: "q", questionKind: "clarification", options: [] }, "escalation"),
  told(9, "answered", "8080", { id: "q", answeredBy: "ada" }),
  told(10, "changes", "What is pushed", changes),
  told(11, "ended", "The work is on the branch.", { outcome: "Completed" }, "completion"),
];
const done = run("shop", { status: { phase: "Completed", pullRequestURL: "https://git.example.com/shop/pulls/3", finishedAt: "2026-01-01T10:00:00Z" } });

const log = (page: Page) => page.getByRole("log", { name: "Messages" });
const entries = (page: Page) => log(page).locator("ol > li[id]");
const count = (page: Page) => page.getByRole("region", { name: "Timeline" }).getByRole("status").first();
const search = (page: Page) => page.getByRole("searchbox", { name: "Search the timeline" });

test.beforeEach(async ({ page }) => {
  await inhabit(page, { runs: [done], messages });
});

test("a slash finds words in what is folded, unfolds it and marks them; the address keeps the search", async ({ page }) => {
  await page.goto("/ns/demo/runs/shop");
  await expect(entries(page)).toHaveCount(8);
  await expect(log(page)).not.toContainText("10.01");
  await page.keyboard.press("/");
  await expect(search(page)).toBeFocused();
  await page.keyboard.type("EXPECTED 10.01");
  await expect(entries(page)).toHaveCount(1);
  await expect(log(page).locator("mark")).toHaveText("expected 10.01");
  await expect(count(page)).toHaveText("1 of 8");
  await expect(page).toHaveURL(/find=EXPECTED/);
  await page.reload();
  await expect(log(page).locator("mark")).toBeVisible();
  await search(page).press("Escape");
  await expect(entries(page)).toHaveCount(8);
  await search(page).fill("a/b");
  await expect(search(page)).toHaveValue("a/b");
  await expect(log(page)).toHaveText("Nothing of that is here.");
});

test("types narrow it down, several at once, in the address", async ({ page }) => {
  await page.goto("/ns/demo/runs/shop");
  const filter = (name: RegExp) => page.getByRole("group", { name: "Filter by type" }).getByRole("button", { name });
  await expect(filter(/^Tools/)).toHaveText("Tools2");
  await filter(/^Errors/).click();
  await expect(entries(page)).toHaveCount(1);
  await expect(entries(page)).toContainText("failed");
  await filter(/^Questions/).click();
  await expect(entries(page)).toHaveCount(2);
  await page.reload();
  await expect(entries(page)).toHaveCount(2);
  await expect(filter(/^Questions/)).toHaveAttribute("aria-pressed", "true");
  await expect(log(page)).toContainText(/ada answered at .*: 8080/);
});

test("a call unfolds by the keyboard, and an entry has an address", async ({ page }) => {
  await page.goto("/ns/demo/runs/shop#message-4");
  await expect(page.locator("#message-4")).toHaveClass(/bg-accent-soft/);
  const call = log(page).locator("summary").filter({ hasText: "Bash" });
  await call.focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("region", { name: "What Bash was given" })).toContainText("--verbose");
  await expect(page.getByRole("region", { name: "What Bash answered" })).toContainText("got 10.00");
  await page.locator("#message-6").getByRole("link").click();
  await expect(page).toHaveURL(/#message-6$/);
});

test("changes are folded to their totals beside the pull request", async ({ page }) => {
  await page.goto("/ns/demo/runs/shop");
  const entry = page.locator("#message-10");
  await expect(entry.locator("summary")).toHaveText(/9 files changed \+1,204 −2/);
  await expect(entry.getByRole("link", { name: "Pull request" })).toHaveAttribute("href", "https://git.example.com/shop/pulls/3");
  await entry.locator("summary").click();
  await expect(entry.getByRole("row").filter({ hasText: "src/invoice.ts" })).toContainText("+4 −2");
  await expect(entry.getByRole("row").filter({ hasText: "logo.png" })).toContainText("binary");
  await expect(entry).toContainText("and 7 more");
});

test("what is new comes by itself, and the end stays in sight only for who is there", async ({ page }) => {
  await page.setViewportSize({ width: 1280, height: 1200 });
  await inhabit(page, { runs: [run("long")], messages: longStory(300) });
  await page.goto("/ns/demo/runs/long");
  await expect(count(page)).toHaveText("200");
  await expect(entries(page).last()).toBeInViewport();
  await page.evaluate((message) => window.world.say(message), told(301, "said", "The newest words."));
  await expect(log(page).getByText("The newest words.")).toBeInViewport();
  await log(page).evaluate((box) => box.scrollTo({ top: 0 }));
  // The page hears of it a frame later.
  await expect(page.getByRole("button", { name: "Newest" })).toBeVisible();
  await page.evaluate((message) => window.world.say(message), told(302, "said", "Still newer words."));
  await expect(count(page)).toHaveText("202");
  await expect(log(page).getByText("Still newer words.")).not.toBeInViewport();
  await page.getByRole("button", { name: "Newest" }).click();
  await expect(log(page).getByText("Still newer words.")).toBeInViewport();
});

test("the journal is saved whole, one message a line", async ({ page }) => {
  await inhabit(page, { runs: [done], messages: longStory(1_201) });
  await page.goto("/ns/demo/runs/shop");
  const saving = page.waitForEvent("download");
  await page.getByRole("button", { name: /^Journal/ }).click();
  const download = await saving;
  expect(download.suggestedFilename()).toBe("demo-shop.ndjson");
  const lines = (await readFile(await download.path(), "utf8")).trimEnd().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as { seq: number }).seq)).toEqual(Array.from({ length: 1_201 }, (_, at) => at + 1));
});

for (const colorScheme of ["dark", "light"] as const) {
  test.describe(`in the ${colorScheme} theme`, () => {
    test.use({ colorScheme, contextOptions: { reducedMotion: "reduce" } });
    test("a timeline with everything unfolded has no accessibility errors and fits 360 px", async ({ page }) => {
      await page.goto("/ns/demo/runs/shop?find=e#message-3");
      await expect(log(page).locator("mark").first()).toBeVisible();
      await page.locator("#message-10 summary").click();
      await expectNoViolations(page);
      await page.setViewportSize({ width: 360, height: 740 });
      await expectNoViolations(page);
      await expectNoSidewaysScroll(page);
    });
  });
}
