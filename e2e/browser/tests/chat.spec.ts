import { expect, test, type Page } from "@playwright/test";
import { card, composer, log, open, text } from "../support/chat";
import { CHROMIUM_FLAGS } from "../support/environment";
import { APPROVAL, DONE, STORY } from "../support/fake-chat";
import { choose } from "../support/form";
import { expectNoSidewaysScroll, expectNoViolations } from "../support/looks";
import { READABLE } from "../support/terminal";

test.use({ launchOptions: { executablePath: "/usr/bin/chromium", args: [...CHROMIUM_FLAGS, ...READABLE] }, viewport: { width: 1440, height: 860 } });

const delta = (messageId: string, piece: string) => ({ type: "claude_message", kind: "text", messageId, delta: piece, final: false });

test("a workflow is told as one line of time, beside its phases, its list and the terminal", async ({ page }) => {
  const runtime = await open(page, STORY);
  const phases = page.getByRole("list", { name: "Workflow" }).getByRole("listitem");
  await expect(phases).toHaveText([/^Frame, done/, /^Architect, done/, /^Build, done.*retry 1/, /^Evaluate, done.*retry 1/, /^Release, going on/]);
  await expect(page.getByRole("list", { name: "Things to do" }).getByRole("listitem")).toHaveCount(3);
  await expect(page.getByRole("region", { name: "Cost" })).toContainText("$0.1342 of $2.50");
  await expect(page.locator(".xterm-rows")).toContainText("git log --oneline");
  await expect(log(page).locator("[data-entry=phase]")).toHaveCount(7);

  const bash = log(page).getByText("npm test -- rounding");
  await bash.scrollIntoViewIfNeeded();
  await expect(log(page)).not.toContainText("expected 10.01");
  await bash.click();
  await expect(log(page).getByRole("region", { name: "What Bash answered" })).toContainText("expected 10.01");
  await log(page).evaluate((box) => box.scrollTo({ top: 0 }));
  await expect(log(page).getByRole("table")).toContainText("10.01");
  await log(page).getByRole("button", { name: "Copy Code" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("Math.round(cents)");

  runtime.tell(...DONE);
  await page.getByRole("button", { name: /new|Newest/ }).click();
  await expect(log(page).getByRole("link", { name: /Pull request git.example.com/ })).toHaveAttribute("href", "https://git.example.com/shop/pulls/3");
  await page.reload();
  await expect(log(page).getByRole("link", { name: /Pull request/ })).toBeVisible();
  await expect(log(page).locator("[data-entry=phase]")).toHaveCount(7);
});

test("the rail says how long a phase took or goes on, and its step", async ({ page }) => {
  // Long before the next whole minute, however slow the machine is.
  const begun = { type: "phase_update", phase: "release", status: "started", step: "open the pull request", retry: 0, timestamp: new Date(Date.now() - 605_000).toISOString() };
  await open(page, [...STORY.slice(0, 30), begun]);
  const phase = (name: string) => page.getByRole("list", { name: "Workflow" }).getByRole("listitem").filter({ hasText: name });
  await expect(phase("Frame")).toHaveText("Frame, done4 s");
  await expect(phase("Release")).toContainText("open the pull request");
  const time = phase("Release").getByText(/^10 min \d+ s$/);
  const before = await time.innerText();
  await expect(time).not.toHaveText(before);
});

test("calls and steps say how long they took, and tokens of all models stand together", async ({ page }) => {
  const other = { input: 1_000, output: 1, cacheRead: 2, cacheWrite: 3 };
  const usage = { ...STORY.at(-1), models: { "model-a": { input: 18_204, output: 3_117, cacheRead: 90_012, cacheWrite: 8_000 }, "model-b": other } };
  await open(page, [STORY[0]!, ...STORY.slice(9, 11), ...STORY.slice(18, 20), usage]);
  const entry = (words: string) => log(page).locator("[data-entry]").filter({ hasText: words });
  await expect(entry("Cloned repository")).toContainText("1.2 s");
  await expect(entry("src/invoice.ts").locator("summary")).toContainText("14 ms");
  await expect(entry("npm test -- rounding").locator("summary")).toContainText("failed3.2 s");
  const cost = page.getByRole("region", { name: "Cost" });
  await cost.getByText("Tokens").click();
  await expect(cost.getByRole("definition")).toHaveText(["19,204", "3,118", "90,014", "8,003"]);
});

test("what is said while the line is down is kept over a reload, sent once, and its state is shown", async ({ page }) => {
  const runtime = await open(page, STORY.slice(0, 6));
  runtime.cut();
  await expect(page.locator("header [data-connection]").first()).toContainText("Reconnecting");
  await composer(page).fill("Mind the **tests**");
  await composer(page).press("Enter");
  await expect(page.getByRole("list", { name: "Not sent yet" })).toContainText("Mind the **tests**");
  await expect(page.locator("header [data-connection]").first()).toContainText("1 message waiting");
  await page.reload();
  runtime.tell(text("m-9", "Said meanwhile."));
  runtime.mend();
  const said = log(page).locator("[data-entry=user]");
  await expect(said).toContainText("Queued");
  await expect(log(page)).toContainText("Said meanwhile.");
  await expect(page.getByRole("list", { name: "Not sent yet" })).toBeHidden();
  const { id } = runtime.heard.find(({ type }) => type === "user_message") ?? {};
  runtime.tell({ type: "user_message", id, state: "started" });
  await expect(said).toContainText("The agent works on it");
  runtime.tell({ type: "user_message", id, state: "completed" });
  await expect(said).not.toContainText("The agent works on it");
  expect(runtime.heard.filter(({ type }) => type === "user_message")).toHaveLength(1);
});

test("a message that the agent never began on is shown as cancelled, also after a reload", async ({ page }) => {
  const runtime = await open(page, STORY.slice(0, 6));
  runtime.agentIs("working");
  await composer(page).fill("Never mind");
  await composer(page).press("Enter");
  const said = log(page).locator("[data-entry=user]");
  await expect(said).toContainText("Queued");
  runtime.tell({ type: "user_message", id: runtime.heard.find(({ type }) => type === "user_message")?.id, state: "cancelled" });
  await expect(said).toContainText("Cancelled");
  await page.reload();
  await expect(said).toContainText("Cancelled");
  await expect(said).not.toContainText("Queued");
});

test("a lost line comes back to exactly where it was; another journal begins anew", async ({ page }) => {
  const runtime = await open(page, STORY.slice(0, 8));
  runtime.cut();
  runtime.tell(...STORY.slice(8));
  runtime.mend();
  await expect(log(page)).toContainText("The tests pass now");
  expect(runtime.heard.filter(({ type }) => type === "hello").at(-1)).toMatchObject({ journalId: runtime.journalId, after: 8 });
  await expect(log(page).locator("[data-entry=phase]")).toHaveCount(7);

  runtime.cut();
  runtime.begin("0d0d0d0d-04a5-8a8e-9f37-0e4b1d3a5c11").tell(text("z", "A new pod."));
  runtime.mend();
  await expect(log(page)).toContainText("A new pod.");
  await expect(log(page).locator("[data-entry]")).toHaveCount(1);
});

test("a text grows in its place; a reader who has scrolled up is left alone and told what is new", async ({ page }) => {
  const runtime = await open(page, [...STORY, ...STORY.slice(5, 6).map((each) => ({ ...each, messageId: "last" }))]);
  runtime.agentIs("working");
  for (const piece of ["I round ", "**half up**", ", as the item says."]) runtime.live(delta("m-7", piece));
  const growing = log(page).locator("[data-final=false]");
  await expect(growing).toContainText("I round half up, as the item says.");
  await log(page).evaluate((box) => box.scrollTo({ top: 200 }));
  await expect(page.getByRole("button", { name: "Newest" })).toBeVisible();
  const before = await log(page).evaluate((box) => box.scrollTop);
  runtime.tell(text("m-7", "I round **half up**, as the item says. Done."), text("m-8", "Another one."));
  await expect(page.getByRole("button", { name: "1 new" })).toBeVisible();
  expect(await log(page).evaluate((box) => box.scrollTop)).toBe(before);
  await page.getByRole("button", { name: "1 new" }).click();
  await expect(log(page).getByText("Another one.")).toBeInViewport();
  await expect(log(page).getByText("New since you looked")).toBeVisible();
  await expect(growing).toHaveCount(0);
  await expect(page.getByRole("status", { name: "News" })).toHaveText("Agent: Another one.");
});

test("an approval stays in view, marks the tab, and is given by the keyboard alone", async ({ page }) => {
  const runtime = await open(page, [...STORY, APPROVAL]);
  await expect(page).toHaveTitle("(1) talk · Fabrica");
  await expect(card(page)).toContainText("Asks for approval");
  await log(page).evaluate((box) => box.scrollTo({ top: 0 }));
  await expect(card(page).getByText("May the pull request be opened?")).toBeInViewport();
  await card(page).getByRole("radio", { name: "approve" }).focus();
  await page.keyboard.press("Space");
  await page.keyboard.press("Control+Enter");
  await expect(card(page)).toBeHidden();
  expect(runtime.heard.filter(({ type }) => type === "answer")).toEqual([{ type: "answer", questionId: "approve-release-1", text: "approve" }]);
  await expect(page).toHaveTitle("talk · Fabrica");
  await page.getByRole("button", { name: /new|Newest/ }).click();
  await expect(log(page)).toContainText(/ada answered at .*approve/);
});

test("an approval takes a comment along, and words alone reject, whatever they begin with", async ({ page }) => {
  const runtime = await open(page, [...STORY, APPROVAL, { ...APPROVAL, questionId: "approve-release-2" }]);
  const comment = card(page).getByLabel("Comment; without a choice it rejects");
  const approve = card(page).getByRole("radio", { name: "approve" });
  await approve.check();
  await comment.fill("Oil the lock next");
  await expect(approve).toBeChecked();
  await card(page).getByRole("button", { name: "Send answer" }).click();
  await expect(card(page)).toHaveAttribute("data-question", "approve-release-2");
  await comment.fill("Approve button is still broken, fix it first");
  await comment.press("Control+Enter");
  await expect(card(page)).toBeHidden();
  expect(runtime.heard.filter(({ type }) => type === "answer")).toEqual([
    { type: "answer", questionId: "approve-release-1", text: "approve: Oil the lock next" },
    { type: "answer", questionId: "approve-release-2", text: "reject: Approve button is still broken, fix it first" },
  ]);
});

test("who answers too late is told who was first", async ({ page }) => {
  const runtime = await open(page, [...STORY, APPROVAL]);
  runtime.occupy("approve-release-1");
  await card(page).getByLabel("Comment; without a choice it rejects").fill("Name it better");
  await card(page).getByRole("button", { name: "Send answer" }).click();
  await expect(card(page).getByRole("alert")).toHaveText("grace answered this question before.");
  runtime.answeredBy("grace", "approve-release-1", "approve");
  await expect(card(page)).toBeHidden();
  await expect(log(page)).toContainText(/grace answered at .*approve/);
});

test("escape interrupts a working agent when it is pressed twice; elsewhere it does nothing", async ({ page }) => {
  const runtime = await open(page, STORY);
  await composer(page).press("Escape");
  await expect(page.getByRole("button", { name: "Interrupt the agent" })).toBeHidden();
  runtime.agentIs("working");
  await expect(page.getByText("Escape twice interrupts")).toBeVisible();
  await composer(page).press("Escape");
  await expect(page.getByText("Escape again interrupts the agent")).toBeVisible();
  await composer(page).press("a");
  await expect(page.getByText("Escape twice interrupts")).toBeVisible();
  await composer(page).press("Escape");
  await composer(page).press("Escape");
  await expect(log(page)).toContainText("ada interrupted the agent.");
  expect(runtime.heard.filter(({ type }) => type === "interrupt")).toHaveLength(1);
});

test("keys: a new line, a command that is asked for, the last message again, the search", async ({ page }) => {
  const runtime = await open(page, STORY);
  await composer(page).focus();
  await page.keyboard.type("one");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("two");
  await page.keyboard.press("Control+Enter");
  await expect(composer(page)).toHaveValue("");
  await expect(log(page).locator("[data-entry=user]").last()).toContainText("one\ntwo");
  await page.keyboard.press("ArrowUp");
  await expect(composer(page)).toHaveValue("one\ntwo");
  await composer(page).fill("/compact");
  await page.getByRole("checkbox", { name: "Run it as a command of the agent" }).check();
  await composer(page).press("Enter");
  await composer(page).fill("/not a command");
  await composer(page).press("Enter");
  await expect.poll(() => runtime.heard.filter(({ type }) => type === "user_message").map(({ content, command }) => [content, command])).toEqual([["one\ntwo", undefined], ["/compact", true], ["/not a command", undefined]]);

  await log(page).focus();
  await page.keyboard.press("/");
  await page.keyboard.type("expected 10.01");
  await expect(log(page).locator("[data-entry]")).toHaveCount(1);
  await expect(log(page).locator("mark")).toHaveText("expected 10.01");
  await expect(page).toHaveURL(/find=expected/);
});

test("who may only read sees so, and nothing to speak or to answer with", async ({ page }) => {
  await open(page, [...STORY, APPROVAL], { role: "view", mayAnswer: false });
  await expect(page.getByText("You may read this chat.")).toBeVisible();
  await expect(composer(page)).toBeHidden();
  await expect(card(page)).toContainText("You may not answer: it needs the right to create sessions/answers in demo.");
  await expect(card(page).getByRole("button")).toHaveCount(0);
});

test("what the runtime saw of a call stands with that call", async ({ page }) => {
  const use = { type: "claude_message", kind: "tool_use", messageId: "t-9", final: true, name: "mcp__fractary-repo__push", input: "{}" };
  const seen = { type: "tool_audit", messageId: "t-9", server: "fractary-repo", tool: "push", outcome: "refused", durationMs: 3 };
  const result = { type: "claude_message", kind: "tool_result", messageId: "t-9", final: true, content: "The autonomy publishes nothing.", isError: true, durationMs: 9 };
  await open(page, [...STORY, use, seen, result]);
  const call = log(page).locator("[data-entry=tool]").filter({ hasText: "fractary-repo" });
  await expect(call).toHaveCount(1);
  await call.locator("summary").click();
  await expect(call.locator("summary")).toContainText("refused");
  await expect(call).toContainText("The runtime saw: fractary-repo push: refused after 3 ms");
});

test("a command of the agent goes into the shell's line, and is not entered", async ({ page }) => {
  const lines = { type: "claude_message", kind: "tool_use", messageId: "t-9", final: true, name: "Bash", input: "cd src\nls" };
  const runtime = await open(page, [...STORY, lines]);
  const call = (words: string) => log(page).locator("[data-entry=tool]").filter({ hasText: words });
  await call("npm test -- rounding").getByRole("button", { name: "Type it into the terminal" }).click();
  await expect.poll(() => runtime.typed).toBe("\x1b[200~npm test -- rounding\x1b[201~");
  await expect(page.getByRole("textbox", { name: "Terminal input" })).toBeFocused();
  await expect(call("src/invoice.ts").getByRole("button")).toHaveCount(0);
  await call("npm test -- rounding").getByRole("button", { name: "Show it in the agent's terminal" }).click();
  await expect(page.getByRole("region", { name: /^Notifications/ })).toContainText("The agent's terminal is closed until it runs something again. What it printed stands below the call.");

  runtime.typed = "";
  await page.setViewportSize({ width: 360, height: 740 });
  await call("cd src").getByRole("button", { name: "Type it into the terminal" }).click();
  await expect(page.getByRole("tab", { name: "Terminal", exact: true, selected: true })).toBeVisible();
  await expect.poll(() => runtime.typed).toBe("\x1b[200~cd src\rls\x1b[201~");
});

test("the cost stands against the cluster's budget where the session has none", async ({ page }) => {
  await page.route("**/api/v1/me", async (route) => route.fulfill({ json: { ...((await (await route.fetch()).json()) as object), defaultBudgetUSD: "1.00" } }));
  await open(page, STORY, {}, { agent: {} });
  await expect(page.getByRole("region", { name: "Cost" })).toContainText("$0.1342 of $1.00, the cluster's default");
});

test("an agent that has failed is started again by a message", async ({ page }) => {
  const runtime = await open(page, STORY);
  runtime.agentIs("failed", "The agent ended three times within ten minutes.");
  await expect(page.getByText("The agent ended three times")).toBeVisible();
  await page.getByRole("button", { name: "Start the agent again" }).click();
  await expect.poll(() => runtime.heard.at(-1)?.content).toBe("Go on where you stopped.");
});

test("what an agent says is never HTML", async ({ page }) => {
  await open(page, [text("x", '<img src=x onerror="document.title=1"> [a](javascript:alert(1)) <script>document.title=2</script>')]);
  await expect(log(page)).toContainText("<script>document.title=2</script>");
  await expect(log(page).locator("img, script, a[href^=javascript]")).toHaveCount(0);
});

test("a small screen has tabs, which the address keeps", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await open(page, STORY);
  await page.getByRole("tab", { name: "Chat" }).focus();
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("tab", { name: "To do 3/3" })).toBeFocused();
  await expect(page.getByRole("list", { name: "Things to do" })).toBeVisible();
  await page.keyboard.press("ArrowRight");
  await expect(page.locator(".xterm-rows")).toContainText("git log");
  await page.reload();
  await expect(page.getByRole("tab", { name: "Terminal", exact: true, selected: true })).toBeVisible();
  await expect(page.locator(".xterm-rows")).toContainText("git log");
});

test("the dialog of a new session asks a conversation for what it needs", async ({ page }) => {
  await page.goto("/sessions?new");
  await choose(page, /^Chat/);
  await page.getByRole("button", { name: "Create session" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "spec.workId is required in mode Chat with workflow Faber" })).toBeVisible();
  await expect(page.getByRole("alert").filter({ hasText: "spec.repository is required in mode Chat" })).toBeVisible();
  await page.getByLabel("The agent", { exact: true }).selectOption("None");
  await expect(page.getByLabel("Work item", { exact: true })).toBeHidden();
  await page.getByLabel("Repository", { exact: true }).fill("https://git.example.com/shop");
  await page.getByRole("button", { name: "Show YAML" }).click();
  await expect(page.getByRole("dialog")).toContainText("mode: Chat");
  await expect(page.getByRole("dialog")).toContainText("workflow: None");
});

const STATES: [string, (page: Page) => Promise<void>][] = [
  ["a chat that works", async (page) => void (await open(page, STORY)).agentIs("working")],
  ["a chat that asks", async (page) => {
    await open(page, [...STORY, APPROVAL]);
    await expect(card(page)).toBeVisible();
  }],
  ["a chat that is done", async (page) => {
    await open(page, [...STORY, ...DONE]);
    await log(page).getByText("npm test -- rounding").click();
  }],
  ["a chat that was cut off", async (page) => {
    (await open(page, STORY)).cut(4403);
    await expect(page.getByText("You may not see this chat")).toBeVisible();
  }],
  ["the dialog of a conversation", async (page) => {
    await page.goto("/sessions?new");
    await choose(page, /^Chat/);
    await page.getByRole("button", { name: "Create session" }).click();
    await expect(page.getByRole("alert").first()).toBeVisible();
  }],
];

for (const colorScheme of ["dark", "light"] as const) {
  test.describe(`in the ${colorScheme} theme`, () => {
    test.use({ colorScheme, contextOptions: { reducedMotion: "reduce" } });
    for (const [what, go] of STATES) {
      test(`${what} has no accessibility errors and fits 360 px`, async ({ page }) => {
        await go(page);
        await expectNoViolations(page);
        await page.setViewportSize({ width: 360, height: 740 });
        await expectNoViolations(page);
        await expectNoSidewaysScroll(page);
      });
    }
  });
}

test("a workflow is started where none is open, refused in words, and cancelled while the agent rests", async ({ page }) => {
  const runtime = await open(page, [], {}, { workflow: "None" });
  runtime.refusal = "The agent works on 7 already: one at a time.";
  await page.getByRole("button", { name: "Start workflow…" }).click();
  const dialog = page.getByRole("dialog", { name: "Start workflow" });
  await expect(dialog.getByLabel("Work item")).toHaveValue("12");
  await dialog.getByRole("button", { name: "Start workflow" }).click();
  await expect(dialog).toContainText("The agent works on 7 already");
  await expectNoViolations(page);
  runtime.refusal = undefined;
  await dialog.getByRole("button", { name: "Start workflow" }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByRole("button", { name: "Start workflow…" })).toBeHidden();

  await page.getByRole("button", { name: "Cancel workflow" }).click();
  await page.getByRole("dialog", { name: "Cancel the workflow?" }).getByRole("button", { name: "Cancel workflow" }).click();
  await expect.poll(() => runtime.heard.at(-1)?.type).toBe("interrupt");
  runtime.tell({ type: "workflow_complete", exitCode: 3, summary: "Somebody cancelled the workflow.", costUsd: "0" });
  await expect(page.getByRole("button", { name: "Start workflow…" })).toBeVisible();
});
