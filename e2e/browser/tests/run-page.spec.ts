import { expect, test, type Page } from "@playwright/test";
import { inhabit, run } from "../support/world";

const usage = { inputTokens: 18_204, outputTokens: 3_117, cacheReadTokens: 90_012, cacheWriteTokens: 8_000, estimatedCostUSD: "0.5" };
const attempts = [
  { number: 1, podName: "shop-run-1", startedAt: "2026-01-01T09:00:00Z", finishedAt: "2026-01-01T09:04:05Z", cause: "PodLost", usage: { ...usage, estimatedCostUSD: "0.125" } },
  { number: 2, podName: "shop-run-2", startedAt: "2026-01-01T09:05:00Z" },
];
const todos = [
  { text: "Find where lines are summed up", status: "Completed" },
  { text: "Round to cents", status: "InProgress" },
  { text: "Cover it with tests", status: "Pending" },
];
const works = run("shop", { spec: { agent: { driver: "Claude", budgetUSD: "2.00" } }, status: { usage, attempts, faber: { phase: "build", todos } } });
const ended = run("ended", { status: { phase: "Completed", usage, finishedAt: "2026-01-01T10:02:00Z" } });

const region = (page: Page, name: string) => page.getByRole("region", { name });

test.beforeEach(async ({ page }) => inhabit(page, { runs: [works, ended] }));

test("the list says what a run cost, and how long it took or goes on", async ({ page }) => {
  await page.goto("/runs");
  const row = (name: string) => page.getByRole("list", { name: "Runs" }).getByRole("listitem").filter({ hasText: `Title of ${name}` });
  await expect(row("ended")).toContainText("$0.50");
  await expect(row("ended")).toContainText("took 1 h 2 min");
  await expect(row("shop")).toContainText(/for \d+ d \d+ h/);
});

test("the page of a run says what it cost of its budget, and where the agent is in its work", async ({ page }) => {
  await page.goto("/ns/demo/runs/shop");
  const cost = region(page, "Cost");
  await expect(cost).toContainText("$0.50 of $2.00");
  await expect(cost.getByRole("meter", { name: "Share of the budget" })).toHaveJSProperty("value", 0.25);
  await cost.getByText("Tokens").click();
  await expect(cost.getByRole("definition")).toHaveText(["18,204", "3,117", "90,012", "8,000"]);
  await expect(region(page, "Work")).toContainText("Phase: build");
  await expect(page.getByRole("list", { name: "Things to do" }).getByRole("listitem")).toHaveText(["Done:Find where lines are summed up", "In progress:Round to cents", "To do:Cover it with tests"]);

  await page.evaluate((next) => window.world.tell(next), { ...works, resourceVersion: "2", status: { phase: "Running", conditions: [], usage: { ...usage, estimatedCostUSD: "1.5" }, faber: { phase: "evaluate", todos: [] } } });
  await expect(cost).toContainText("$1.50 of $2.00");
  await expect(region(page, "Work")).toContainText("Phase: evaluate");
});

test("each attempt says why it ended, how long it took and what it cost", async ({ page }) => {
  await page.goto("/ns/demo/runs/shop");
  const [first, second] = [0, 1].map((at) => region(page, "Attempts").getByRole("listitem").nth(at));
  await expect(first!).toContainText(/Attempt 1PodLost\$0\.1254 min 5 s/);
  await expect(first!).toContainText("shop-run-1");
  await expect(second!).toContainText("Attempt 2going on");
});

test("the page of a run cancels it, and asks first", async ({ page }) => {
  await page.goto("/ns/demo/runs/shop");
  const cancel = page.getByRole("button", { name: "Cancel", exact: true });
  await cancel.click();
  const dialog = page.getByRole("dialog", { name: "Cancel shop?" });
  await dialog.getByRole("button", { name: "Let it go on" }).click();
  await expect(dialog).toBeHidden();
  expect(await page.evaluate(() => window.world.sent.filter(({ path }) => path.endsWith("/cancel")))).toEqual([]);

  await cancel.click();
  await dialog.getByRole("button", { name: "Cancel run" }).click();
  await expect(dialog).toBeHidden();
  expect(await page.evaluate(() => window.world.sent.filter(({ path }) => path.endsWith("/cancel")))).toEqual([{ path: "/namespaces/demo/runs/shop/cancel", body: {} }]);
  await expect(page.getByRole("status", { name: "State" })).toContainText("Cancelling");
  await expect(cancel).toBeDisabled();
});
