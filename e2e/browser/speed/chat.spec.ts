import { expect, test, type Locator, type Page } from "@playwright/test";
import { chatSession, inhabit } from "../support/world";
import { FRAME_RATIO, LONG, note, scroll, SHORT, SHOWN, untilShown } from "./log";

/** No frame may be longer, in milliseconds, and a slow machine's own frames do not count as ours. */
const LONGEST_FRAME = 100;

test("a chat of thousands of messages is there soon, and scrolls and streams like a short one", async ({ page }) => {
  await open(page, SHORT);
  const short = await scroll(log(page));
  const shown = await open(page, LONG);
  const long = await scroll(log(page));
  const streaming = await stream(page);
  note("shown after", shown);
  note(`median frame of ${SHORT}`, short.median);
  note(`median frame of ${LONG}`, long.median);
  note(`longest frame of ${SHORT}`, short.longest);
  note(`longest frame of ${LONG}`, long.longest);
  note("longest frame while it streams", streaming);
  expect(shown).toBeLessThan(SHOWN);
  expect(long.median).toBeLessThan(FRAME_RATIO * short.median);
  expect(long.longest).toBeLessThan(Math.max(LONGEST_FRAME, FRAME_RATIO * short.longest));
  expect(streaming).toBeLessThan(Math.max(LONGEST_FRAME, FRAME_RATIO * short.longest));
});

/** So many messages as an agent makes them: what it says, and calls with their answers. */
function story(count: number): object[] {
  return Array.from({ length: count }, (_, at) => {
    const messageId = `t-${Math.floor(at / 3)}`;
    if (at % 3 === 0) return { type: "claude_message", kind: "text", messageId: `m-${at}`, content: `Step ${at / 3}: look at **file ${at}**, then at what its \`tests\` say.`, final: true };
    if (at % 3 === 1) return { type: "claude_message", kind: "tool_use", messageId, name: "Bash", input: `npm test -- file-${at - 1}`, final: true };
    return { type: "claude_message", kind: "tool_result", messageId, content: `ok ${at}\n`.repeat(20), isError: at % 30 === 2, final: true };
  });
}

/**
 * Opens a chat of so many messages; says after how long the newest of them was there. The runtime is a fake within the
 * page: what is measured is the page, not the way to it.
 */
async function open(page: Page, count: number): Promise<number> {
  const name = `of-${count}`;
  await inhabit(page, { runs: [], sessions: [chatSession(name)] });
  await page.addInitScript((records) => {
    const head = { seq: records.length, timestamp: "2026-01-01T09:00:00Z" };
    class FakeSocket {
      onopen?: () => void;
      onmessage?: (event: { data: string }) => void;
      constructor(private readonly address: string) {
        setTimeout(() => this.onopen?.());
      }
      say(message: object): void {
        this.onmessage?.({ data: JSON.stringify({ ...head, ...message }) });
      }
      send(data: unknown): void {
        if (!this.address.endsWith("/chat") || !String(data).includes('"hello"')) return;
        this.say({ type: "welcome", journalId: "one", author: "ada", role: "control", mayAnswer: true, agent: "working", newest: head.seq });
        records.forEach((record, at) => this.say({ ...record, seq: at + 1 }));
        this.say({ type: "caught_up" });
        Object.assign(window, { say: (message: object) => this.say(message) });
      }
      close(): void {
        this.address.at(0);
      }
    }
    Object.assign(window, { WebSocket: FakeSocket });
  }, [...story(count), { type: "claude_message", kind: "text", messageId: "end", content: "The end.", final: true }]);
  await page.goto(`/ns/demo/sessions/${name}`);
  return untilShown(page, count + 1);
}

function log(page: Page): Locator {
  return page.getByRole("log", { name: "Conversation" });
}

/** The longest frame while an agent's text comes word by word, five hundred a second. */
async function stream(page: Page): Promise<number> {
  return log(page).evaluate(async (box) => {
    const { say } = window as unknown as { say: (message: object) => void };
    box.scrollTo({ top: box.scrollHeight });
    let worst = 0;
    let sent = 0;
    const words = setInterval(() => {
      if (sent === 1000) return clearInterval(words);
      say({ type: "claude_message", kind: "text", messageId: "live", delta: `word ${(sent += 1)} `, final: false });
    }, 2);
    let last = await new Promise<number>(requestAnimationFrame);
    while (!box.textContent.includes(`word ${1000}`)) {
      const now = await new Promise<number>(requestAnimationFrame);
      worst = Math.max(worst, now - last);
      last = now;
    }
    return worst;
  });
}
