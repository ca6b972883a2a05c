import { expect, test, type Page } from "@playwright/test";
import { CHROMIUM_FLAGS } from "../support/environment";
import { FakeRuntime } from "../support/fake-chat";
import { expectNoSidewaysScroll, expectNoViolations } from "../support/looks";
import { READABLE } from "../support/terminal";
import { agentReady, inhabit, terminalSession } from "../support/world";

test.use({ launchOptions: { executablePath: "/usr/bin/chromium", args: [...CHROMIUM_FLAGS, ...READABLE] }, viewport: { width: 1440, height: 860 } });

const PATH = "/ns/demo/sessions/both";
const on = { agentState: "On" };
const HELLO = { type: "claude_message", kind: "text", messageId: "m-1", content: "What is to be done?", final: true };

async function open(page: Page, session: object): Promise<FakeRuntime> {
  await inhabit(page, { runs: [], sessions: [session] });
  const runtime = (await FakeRuntime.serve(page)).tell(HELLO);
  await page.goto(PATH);
  return runtime;
}

const tell = (page: Page, session: object) => page.evaluate((told) => window.world.tellSession(told), session);
const chat = (page: Page) => page.getByRole("region", { name: "Chat" });

test("an agent is started from the terminal and stopped again, and the terminal stays", async ({ page }) => {
  const runtime = await open(page, terminalSession("both"));
  await expect(page.locator(".xterm-rows")).toContainText("git log --oneline");
  await expect(chat(page)).toBeHidden();
  await expectNoViolations(page);
  await page.getByRole("button", { name: "Start the agent" }).click();
  expect(await page.evaluate(() => window.world.sent)).toEqual([{ path: "/namespaces/demo/sessions/both/agent", body: { state: "On" } }]);
  await expect(chat(page)).toContainText("The agent is about to be started.");
  await expect(page.locator(".xterm-rows")).toContainText("git log --oneline");
  expect(runtime.heard).toEqual([]);

  await tell(page, terminalSession("both", { spec: on, conditions: [agentReady("True", "AgentOn", "The agent can be spoken to.")], resourceVersion: "3" }));
  await expect(page.getByRole("log", { name: "Conversation" })).toContainText("What is to be done?");
  const composer = page.getByRole("textbox", { name: "Message to the agent" });
  await composer.fill("Mend the door");
  await composer.press("Enter");
  await expect(page.locator("[data-entry=user]")).toContainText("Mend the door");
  await expectNoViolations(page);

  await page.getByRole("button", { name: "Stop the agent" }).click();
  await expect(chat(page)).toBeHidden();
  await expect(page.getByRole("button", { name: "Start the agent" })).toBeVisible();
  await expect(page.locator(".xterm-rows")).toContainText("git log --oneline");
});

test("whose shells hold credentials is told before the agent can read them", async ({ page }) => {
  await open(page, terminalSession("both", { spec: { credentialsRef: { name: "keys" } } }));
  await page.getByRole("button", { name: "Start the agent" }).click();
  const dialog = page.getByRole("dialog", { name: "Start the agent?" });
  await expect(dialog).toContainText("close them first if that matters");
  await expectNoViolations(page);
  expect(await page.evaluate(() => window.world.sent)).toEqual([]);
  await dialog.getByRole("button", { name: "Start it" }).click();
  await expect(dialog).toBeHidden();
  expect(await page.evaluate(() => window.world.sent)).toEqual([{ path: "/namespaces/demo/sessions/both/agent", body: { state: "On" } }]);
  await expect(chat(page)).toContainText("The agent is about to be started.");
});

test("on a small screen both views of the workspace are tabs", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 640 });
  await open(page, terminalSession("both", { spec: on, conditions: [agentReady("True", "AgentOn", "The agent can be spoken to.")] }));
  await expect(page.getByRole("log", { name: "Conversation" })).toContainText("What is to be done?");
  await page.getByRole("tab", { name: "Terminal", exact: true }).click();
  await expect(page.locator(".xterm-rows")).toContainText("git log --oneline");
  await page.getByRole("tab", { name: "Chat" }).click();
  await expect(page.getByRole("log", { name: "Conversation" })).toBeVisible();
  await expectNoSidewaysScroll(page);
});

test("an agent that cannot be had says why, beside a terminal that works", async ({ page }) => {
  const why = "The image has no Claude Code. The next pod may have it: suspend and resume, or delete the pod.";
  await open(page, terminalSession("both", { spec: on, conditions: [agentReady("False", "AgentMissing", why)] }));
  await expect(chat(page)).toContainText(why);
  await expect(page.locator(".xterm-rows")).toContainText("git log --oneline");
  await expectNoViolations(page);
});

test("without a repository there is no agent to start", async ({ page }) => {
  await open(page, terminalSession("both", { spec: { repository: undefined } }));
  await expect(page.locator(".xterm-rows")).toContainText("git log --oneline");
  await expect(page.getByRole("button", { name: "Start the agent" })).toBeHidden();
});
