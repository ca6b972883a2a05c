// The page of a conversation.

import { expect, type Page } from "@playwright/test";
import { FakeRuntime, type Rights } from "./fake-chat";
import { chatSession, inhabit } from "./world";

export const log = (page: Page) => page.getByRole("log", { name: "Conversation" });
export const composer = (page: Page) => page.getByRole("textbox", { name: "Message to the agent" });
export const card = (page: Page) => page.locator("[data-question]");

/** What an agent said, as its journal has it. */
export const text = (messageId: string, content: string) => ({ type: "claude_message", kind: "text", messageId, content, final: true });

/** Opens a conversation with a fake runtime, of which so much is told already. */
export async function open(page: Page, records: object[] = [], rights: Rights = {}, spec: object = {}): Promise<FakeRuntime> {
  await inhabit(page, { runs: [], sessions: [chatSession("talk", spec)] });
  const runtime = (await FakeRuntime.serve(page, rights)).tell(...records);
  await page.goto("/ns/demo/sessions/talk");
  await expect(log(page)).toHaveAttribute("aria-busy", "false");
  return runtime;
}
