import { expect, test, type Page } from "@playwright/test";
import { createSession, namespace, removeSession, untilReady } from "../support/api";
import { card, composer, log } from "../support/chat";
import { CHROMIUM_FLAGS, uniqueName } from "../support/environment";
import { openIssue } from "../support/forge";
import { choose } from "../support/form";
import { Line } from "../support/line";
import { READABLE } from "../support/terminal";

test.use({ launchOptions: { executablePath: "/usr/bin/chromium", args: [...CHROMIUM_FLAGS, ...READABLE] }, viewport: { width: 1440, height: 860 } });

/** From the click to a pull request: a pod, an agent, and five phases on a busy machine. */
test.setTimeout(300_000);

const STARTED = { timeout: 120_000 };
const STEP = { timeout: 60_000 };

/** What stands in the log, without the times that differ by when one looks. */
const told = (page: Page) => log(page).locator("[data-entry]").evaluateAll((entries) => entries.map((entry) => `${entry.id} ${entry.getAttribute("data-entry") ?? ""}`));

test("somebody works an item with an agent, from the dialog to the pull request, and closes the lid in the middle", async ({ page }) => {
  const repository = process.env.FABRICA_FORGE_REPOSITORY ?? "";
  const name = uniqueName("chat");
  const item = await openIssue(repository, "The door squeaks", "scenario: faber\n");
  await page.goto("/sessions?new");
  await choose(page, /^Chat/);
  await page.getByRole("textbox", { name: "Name", exact: true }).fill(name);
  await page.getByLabel("Namespace", { exact: true }).selectOption(await namespace());
  await page.getByLabel("Repository", { exact: true }).fill(new URL(repository).pathname.replace(/^\/|\.git$/g, ""));
  await page.getByRole("listbox", { name: "Repositories" }).getByRole("option").first().click();
  await expect(page.getByLabel("Repository", { exact: true })).toHaveValue(repository);
  await page.getByLabel("Work item", { exact: true }).fill(String(item));
  await page.getByRole("listbox", { name: /^Work items/ }).getByRole("option").filter({ hasText: "The door squeaks" }).click();
  await expect(page.getByText(`#${item}: The door squeaks`)).toBeVisible();
  await expect(page.getByLabel("Forge", { exact: true })).toHaveValue("Gitea");
  await page.getByLabel("Volume size").fill("1Gi");
  await page.getByRole("button", { name: "Create session" }).click();

  try {
    await expect(page).toHaveURL(new RegExp(`/sessions/${name}$`));
    await expect(log(page)).toHaveAttribute("aria-busy", "false", STARTED);
    await expect(card(page)).toContainText("Which oil?", STARTED);
    await expect(page).toHaveTitle(new RegExp(`^\\([1-9][0-9]*\\) ${name}`));
    await expect(page.locator("[data-phase=architect]")).toHaveAttribute("data-status", "started");
    await expect(page.getByRole("list", { name: "Things to do" }).getByRole("listitem")).toHaveCount(2);

    const before = await told(page);
    await page.goto("about:blank");
    await page.goBack();
    await expect(card(page)).toContainText("Which oil?", STEP);
    expect(await told(page)).toEqual(before);

    await card(page).getByRole("radio", { name: "olive" }).check();
    await card(page).getByRole("button", { name: "Send answer" }).click();
    await expect(card(page)).toContainText("Asks for approval", STEP);
    await expect(page.locator("[data-phase=evaluate]")).toHaveAttribute("data-status", "completed");
    await page.reload();
    await card(page).getByRole("radio", { name: "approve" }).check(STEP);
    await card(page).getByRole("button", { name: "Send answer" }).click();

    const pull = log(page).getByRole("link", { name: /Pull request/ });
    await expect(pull).toBeVisible(STEP);
    await expect(pull).toHaveAttribute("href", /\/pulls\/\d+$/);
    for (const phase of ["frame", "architect", "build", "evaluate", "release"]) await expect(page.locator(`[data-phase=${phase}]`)).toHaveAttribute("data-status", "completed");
    await expect(card(page)).toBeHidden();
    await expect(page.getByRole("region", { name: "Terminal. Control Shift Up leaves it." }).locator(".xterm-rows")).toContainText("$");

    await page.goto("/sessions");
    await expect(page.getByRole("listitem").filter({ hasText: name })).toContainText(`Chat · item #${item} · release`);
  } finally {
    await removeSession(name);
  }
});

test("a plain conversation: somebody speaks, the agent answers, and both stand there after a reload", async ({ page }) => {
  const name = uniqueName("talk");
  await page.goto("/sessions?new");
  await choose(page, /^Chat/);
  await page.getByRole("textbox", { name: "Name", exact: true }).fill(name);
  await page.getByLabel("Namespace", { exact: true }).selectOption(await namespace());
  await page.getByLabel("Repository", { exact: true }).fill(process.env.FABRICA_FORGE_REPOSITORY ?? "");
  await page.getByLabel("The agent", { exact: true }).selectOption("None");
  await page.getByLabel("Keep the files on a volume").uncheck();
  await page.getByRole("button", { name: "Create session" }).click();

  try {
    await expect(log(page)).toHaveAttribute("aria-busy", "false", STARTED);
    await composer(page).fill("Hi.\nscenario: chat");
    await composer(page).press("Enter");
    const said = log(page).locator("[data-entry=said]");
    await expect(said.first()).toBeVisible(STEP);
    await expect(log(page).locator("[data-final=false]")).toHaveCount(0, STEP);
    await expect(page.locator("[data-agent=idle]")).toBeVisible(STEP);
    const before = await told(page);
    await page.reload();
    await expect(log(page)).toHaveAttribute("aria-busy", "false", STEP);
    expect(await told(page)).toEqual(before);
  } finally {
    await removeSession(name);
  }
});

test.describe("a conversation", () => {
  const name = uniqueName("words");

  test.beforeAll(async () => {
    await createSession(name, { mode: "Chat", workflow: "None", repository: { url: process.env.FABRICA_FORGE_REPOSITORY, forge: "Gitea" } });
    await untilReady(name);
  });

  test.afterAll(() => removeSession(name));

  async function join(page: Page, base = ""): Promise<void> {
    await page.goto(`${base}/ns/${await namespace()}/sessions/${name}`);
    await expect(log(page)).toHaveAttribute("aria-busy", "false", STARTED);
  }

  /** Until it stands in the log: what an earlier message was answered is then no more the last. */
  async function say(page: Page, words: string): Promise<void> {
    const spoken = log(page).locator("[data-entry=user]");
    const before = await spoken.count();
    await composer(page).fill(words);
    await composer(page).press("Enter");
    await expect(spoken).toHaveCount(before + 1);
  }

  /** Its turn is over, with these as its last words. */
  async function answers(page: Page, words: string): Promise<void> {
    await expect(log(page).locator("[data-entry]").last()).toContainText(`The agent:${words}`, STEP);
    await expect(page.locator("[data-agent=idle]")).toBeVisible(STEP);
  }

  test("a line that was cut brings exactly what was said meanwhile", async ({ page, context }) => {
    const line = await Line.open();
    try {
      const greetings: { after?: number }[] = [];
      const received: string[] = [];
      page.on("websocket", (socket) => {
        if (!socket.url().endsWith("/chat")) return;
        socket.on("framesent", ({ payload }) => String(payload).includes('"hello"') && greetings.push(JSON.parse(String(payload)) as { after?: number }));
        socket.on("framereceived", ({ payload }) => received.push(String(payload)));
      });
      await join(page, line.url);
      await say(page, "Hi.\nscenario: chat");
      await answers(page, "Hello, I am the scripted model.");
      const witness = await context.newPage();
      await join(witness);
      expect(await told(witness)).toEqual(await told(page));

      line.cut();
      await expect(page.locator("header [data-connection]").first()).toContainText("Reconnecting");
      await say(witness, "Look.\nscenario: chat-tool");
      await answers(witness, "It is found.");
      await expect(log(page)).not.toContainText("I look.");
      const before = received.length;
      line.mend();
      await answers(page, "It is found.");
      expect(await told(page)).toEqual(await told(witness));
      expect(greetings.at(-1)?.after).toBeGreaterThan(0);
      expect(received.slice(before).filter((frame) => frame.includes("Hello, I am the scripted model."))).toEqual([]);
    } finally {
      line.close();
    }
  });

  test("a call is one line with its time, unfolds to what it answered, and the search finds it", async ({ page }) => {
    await join(page);
    await say(page, "Look.\nscenario: chat-tool");
    await answers(page, "It is found.");
    const call = log(page).locator("[data-entry=tool]").last();
    await expect(call.locator("summary")).toContainText(/^Bash.*echo found.*\d+ (m?s)$/);
    await call.locator("summary").click();
    await expect(call.getByRole("region", { name: "What Bash answered" })).toHaveText("found");
    await say(page, "Hi.\nscenario: chat");
    await answers(page, "Hello, I am the scripted model.");

    await log(page).focus();
    await page.keyboard.press("/");
    await page.keyboard.type("echo FOUND");
    await expect(log(page).locator("[data-entry]:not([data-entry=tool])")).toHaveCount(0);
    await expect(log(page).locator("mark").last()).toHaveText("echo found");
    await page.keyboard.press("Escape");
    await expect(log(page)).toContainText("Hello, I am the scripted model.");
  });

  test("a call leads to its place in the agent's terminal, which shows what it prints while it runs", async ({ page }) => {
    const shell = (command: string): object => ({ tools: [{ name: "Bash", input: { command, description: "Wait for a sign" } }] });
    const script = [shell("echo before-$((6*7)); until [ -e ../sign ]; do sleep 0.1; done; rm ../sign; echo after-$((6*7))"), shell("seq 1000 1100"), { text: "It came." }];
    await join(page);
    await say(page, `Wait.\n\`\`\`scenario\n${JSON.stringify(script)}\n\`\`\`\n`);
    const tabs = page.getByRole("tablist", { name: "Terminals" });
    await expect(tabs.getByRole("tab", { name: /^agent/ })).toBeVisible(STEP);
    const call = log(page).locator("[data-entry=tool]").filter({ hasText: "echo before-" });
    const show = call.getByRole("button", { name: "Show it in the agent's terminal" });
    await show.click();
    await expect(tabs.getByRole("tab", { name: "agent", selected: true })).toBeVisible();
    const screen = page.locator("[role=tabpanel]:not(.hidden) .xterm-rows");
    await expect(screen).toContainText("before-42");
    await expect(screen).not.toContainText("after-42");
    await expect(call.getByLabel("Tool, running:")).toBeVisible();
    await page.locator("[role=tabpanel]:not(.hidden) .xterm-helper-textarea").focus();
    await page.keyboard.type("exit");

    await tabs.getByRole("tab", { name: "bash" }).click();
    await page.locator("[role=tabpanel]:not(.hidden) .xterm-helper-textarea").focus();
    await page.keyboard.type("touch ../sign\n");
    await answers(page, "It came.");
    await page.reload();
    await expect(tabs.getByRole("tab", { name: "bash", selected: true })).toBeVisible(STEP);
    await show.click();
    await expect(tabs.getByRole("tab", { name: "agent", selected: true })).toBeVisible();
    await expect(screen).toContainText("after-42");
    await expect(screen).not.toContainText("1099");
    await log(page).locator("[data-entry=tool]").filter({ hasText: "seq 1000" }).getByRole("button", { name: "Show it in the agent's terminal" }).click();
    await expect(screen).toContainText("1001");
    await expect(screen).not.toContainText("exit");
  });

  test("a key that the model's service does not accept stands in the log, also after a reload, and the next message is answered", async ({ page }) => {
    await join(page);
    await say(page, "Hi.\nscenario: unauthorized");
    const refused = log(page).locator("[data-entry=error]").last();
    await expect(refused).toContainText("The model's service does not accept the key", STEP);
    await expect(page.locator("[data-agent=idle]")).toBeVisible(STEP);
    await say(page, "Hi again.\nscenario: chat");
    await answers(page, "Hello, I am the scripted model.");
    const before = await told(page);
    await page.reload();
    await expect(log(page)).toHaveAttribute("aria-busy", "false", STEP);
    expect(await told(page)).toEqual(before);
  });

  test("escape twice interrupts a call in the middle, and the agent can be spoken to again", async ({ page }) => {
    const endless = { text: "I wait.", tools: [{ name: "Bash", input: { command: "python3 -c 'import time; time.sleep(1000)'", description: "Wait" } }] };
    await join(page);
    await say(page, `Wait.\n\`\`\`scenario\n${JSON.stringify([endless, { text: "Nobody stopped me." }])}\n\`\`\`\n`);
    const call = log(page).locator("[data-entry=tool]").last();
    await expect(call.getByLabel("Tool, running:")).toBeVisible(STEP);
    await expect(page.getByText("Escape twice interrupts")).toBeVisible();
    await composer(page).press("Escape");
    await composer(page).press("Escape");
    await expect(page.locator("[data-agent=idle]")).toBeVisible(STEP);
    await expect(call.getByLabel("Tool, running:")).toBeHidden();
    await expect(call).toContainText("failed");
    await expect(log(page).locator("[data-entry]").last()).toContainText("The agent was interrupted.");
    await expect(log(page).locator("[data-entry=user]").last()).toContainText("Cancelled");
    await say(page, "Hi again.\nscenario: chat");
    await answers(page, "Hello, I am the scripted model.");
    await expect(log(page).locator("[data-entry=said]").filter({ hasText: "Nobody stopped me." })).toHaveCount(0);
  });
});
