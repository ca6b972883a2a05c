import { expect, test, type Page } from "@playwright/test";
import { expectNoSidewaysScroll, expectNoViolations } from "../support/looks";
import { inhabit, run, told, type World } from "../support/world";

const QUESTION = "Which invoices shall I correct?";
const escalation = { id: "toolu_1", kind: "Selection", question: QUESTION, options: ["The open ones", "All of them"], askedAt: "2026-01-01T09:00:00Z", dueAt: "2030-01-01T09:00:00Z" };
const asking = run("invoices", { status: { phase: "Escalated", escalation, attempts: [{ number: 1, podName: "invoices-run-1", startedAt: "2026-01-01T09:00:00Z", finishedAt: "2026-01-01T09:05:00Z", cause: "Escalated" }] } });
const messages = [told(1, "said", "I look at the invoices."), told(2, "question", QUESTION, { id: "toolu_1", questionKind: "selection", options: escalation.options }, "escalation")];
const answers = [{ id: "toolu_1", text: "All of them", answeredBy: "ada" }];
const answered = { ...asking, resourceVersion: "2", spec: { ...(asking as { spec: object }).spec, answers } };
const world: World = { runs: [run("other"), asking], messages, onAnswer: { status: 200, body: answered } };

const card = (page: Page) => page.locator("[data-question]");
const sent = (page: Page) => page.evaluate(() => window.world.sent);

test("a run that asks stands first, marked in the list, in the rail and on the tab, until its question was seen", async ({ page }) => {
  await inhabit(page, world);
  await page.goto("/runs");
  await expect(page).toHaveTitle("(1) Runs · Fabrica");
  const row = page.getByRole("list", { name: "Runs" }).getByRole("listitem").first();
  await expect(row).toContainText(QUESTION);
  await expect(row.locator("[data-state=escalated]")).toHaveText("Waiting for you");
  await expect(page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: /Runs/ })).toContainText("1 waiting for you");
  const dot = row.getByRole("img", { name: "Nobody has seen the question yet" });
  await expect(dot).toBeVisible();

  await row.getByRole("link", { name: "Title of invoices" }).click();
  await expect(page).toHaveTitle("(1) invoices · Fabrica");
  await expect(page.getByRole("log", { name: "Messages" })).toContainText(QUESTION);
  await page.getByRole("log", { name: "Messages" }).scrollIntoViewIfNeeded();
  await expect.poll(() => sent(page)).toEqual([{ path: "/namespaces/demo/runs/invoices/messages/read", body: { through: 2 } }]);
  await page.getByRole("link", { name: "All runs" }).click();
  await expect(row).toContainText(QUESTION);
  await expect(dot).toBeHidden();
});

test("a choice answers it, and the page says who answered and goes on by itself", async ({ page }) => {
  await inhabit(page, world);
  await page.goto("/ns/demo/runs/invoices");
  await expect(card(page)).toContainText("Asks you to choose");
  await expect(card(page)).toContainText(/Answer by \d\d:\d\d on \w+ \d+ Jan \(in [\d,]+ days\), then the run fails\. Its state is kept and its pod is gone/);
  await card(page).getByRole("button", { name: "Send answer" }).click();
  await expect(card(page).getByRole("alert")).toHaveText("Choose or write an answer.");
  await card(page).getByRole("radio", { name: "All of them" }).check();
  await card(page).getByRole("button", { name: "Send answer" }).click();
  await expect(card(page).getByRole("status")).toContainText("ada answered: “All of them”");
  expect((await sent(page)).filter(({ path }) => path.endsWith("/answers"))).toEqual([{ path: "/namespaces/demo/runs/invoices/answers", body: { id: "toolu_1", text: "All of them" } }]);

  await page.evaluate(
    ([next, words]) => {
      window.world.tell(next);
      window.world.say(words);
    },
    [{ ...answered, resourceVersion: "3", status: { phase: "Running", conditions: [] } }, told(3, "answered", "All of them", { id: "toolu_1", answeredBy: "ada" })] as const,
  );
  await expect(card(page)).toBeHidden();
  await expect(page).toHaveTitle("invoices · Fabrica");
  await expect(page.getByRole("log", { name: "Messages" })).toContainText(/ada answered at \d\d:\d\d:\d\d: All of them/);
});

test("one's own words are sent by the keyboard alone, and survive a reload", async ({ page }) => {
  await inhabit(page, world);
  await page.goto("/ns/demo/runs/invoices");
  await card(page).getByRole("radio", { name: "The open ones" }).check();
  await page.keyboard.press("Tab");
  await expect(card(page).getByLabel("Or in your own words")).toBeFocused();
  await page.keyboard.type("Ask the\naccountants / finance");
  await expect(card(page).getByRole("radio", { checked: true })).toHaveCount(0);
  await page.reload();
  await expect(card(page).getByLabel("Or in your own words")).toHaveValue("Ask the\naccountants / finance");
  await card(page).getByLabel("Or in your own words").press("Control+Enter");
  await expect(card(page).getByRole("status")).toBeVisible();
  expect((await sent(page)).find(({ path }) => path.endsWith("/answers"))?.body).toEqual({ id: "toolu_1", text: "Ask the\naccountants / finance" });
});

const problem = (status: number, detail: string, errors?: object[]) => ({ status, body: { type: "about:blank", title: "No", status, detail, ...(errors === undefined ? {} : { errors }) } });

for (const [what, onAnswer, words] of [
  ["was answered by somebody else", problem(409, "The question toolu_1 is answered already."), "The question toolu_1 is answered already."],
  ["is refused for its text", problem(422, "The answer is not valid.", [{ field: "text", message: "answers.text must have at most 4096 bytes" }]), "answers.text must have at most 4096 bytes"],
] as const) {
  test(`an answer that ${what} stays in the form beside the API's words`, async ({ page }) => {
    await inhabit(page, { ...world, onAnswer });
    await page.goto("/ns/demo/runs/invoices");
    await card(page).getByLabel("Or in your own words").fill("Mine");
    await card(page).getByRole("button", { name: "Send answer" }).click();
    await expect(card(page).getByRole("alert")).toHaveText(words);
    await expect(card(page).getByLabel("Or in your own words")).toHaveValue("Mine");
  });
}

test("of two who answer at once the later one is told who was first, and with what", async ({ page }) => {
  await inhabit(page, { ...world, onAnswer: problem(409, "The question toolu_1 is answered already.") });
  await page.goto("/ns/demo/runs/invoices");
  await card(page).getByLabel("Or in your own words").fill("Mine");
  await card(page).getByRole("button", { name: "Send answer" }).click();
  await expect(card(page).getByRole("alert")).toBeVisible();
  await page.evaluate((next) => window.world.tell(next), answered);
  await expect(card(page).getByRole("status")).toContainText("ada answered: “All of them”");
  await expect(card(page)).not.toContainText("Mine");
  await expect(card(page).getByRole("button", { name: "Send answer" })).toBeHidden();
});

for (const status of [403, 404]) {
  test(`who may not answer is told so (${status})`, async ({ page }) => {
    await inhabit(page, { ...world, onAnswer: problem(status, "You may not create runs/answers in demo.") });
    await page.goto("/ns/demo/runs/invoices");
    await card(page).getByLabel("Or in your own words").fill("Mine");
    await card(page).getByRole("button", { name: "Send answer" }).click();
    await expect(card(page).getByRole("alert")).toHaveText("You may not answer this run’s questions. The API says: You may not create runs/answers in demo.");
    await expect(card(page).getByRole("button", { name: "Send answer" })).toBeHidden();
  });
}

test("a run that the cluster has no more is shown on demand, and nothing can be done with it", async ({ page }) => {
  const gone = run("long-ago", { archived: true, status: { phase: "Completed", finishedAt: "2026-01-01T10:00:00Z" } });
  await inhabit(page, { runs: [run("other")], archived: [gone], messages });
  await page.goto("/runs");
  const link = page.getByRole("link", { name: "Title of long-ago" });
  await expect(page.getByRole("link", { name: "Title of other" })).toBeVisible();
  await expect(link).toBeHidden();
  await page.getByRole("switch", { name: "Show deleted" }).click();
  await expect(link).toBeVisible();
  await page.reload();
  await link.click();
  await expect(page.getByRole("note")).toContainText("This run was deleted from the cluster.");
  await expect(page.getByRole("log", { name: "Messages" })).toContainText("I look at the invoices.");
  for (const name of ["Retry", "Cancel"]) await expect(page.getByRole("button", { name })).toBeHidden();
  await page.getByRole("button", { name: "Run menu" }).click();
  await expect(page.getByRole("menuitem")).toHaveText(["Show YAML"]);
  await page.goto("/ns/demo/runs/never-was");
  await expect(page.getByRole("heading", { name: "There is no run never-was in demo" })).toBeVisible();
});

for (const colorScheme of ["dark", "light"] as const) {
  test.describe(`in the ${colorScheme} theme`, () => {
    test.use({ colorScheme, contextOptions: { reducedMotion: "reduce" } });
    for (const [what, path] of [
      ["the list", "/runs?deleted"],
      ["the question", "/ns/demo/runs/invoices"],
      ["a deleted run", "/ns/demo/runs/long-ago"],
    ] as const) {
      test(`${what} has no accessibility errors and fits 360 px`, async ({ page }) => {
        await inhabit(page, { ...world, archived: [run("long-ago", { archived: true })] });
        await page.goto(path);
        await expect(page.getByText(path === "/runs?deleted" ? "Deleted, in the archive" : "I look at the invoices.")).toBeVisible();
        await expectNoViolations(page);
        await page.setViewportSize({ width: 360, height: 740 });
        await expectNoViolations(page);
        await expectNoSidewaysScroll(page);
      });
    }
  });
}
