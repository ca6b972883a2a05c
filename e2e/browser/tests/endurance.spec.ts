import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "@playwright/test";
import { createSession, untilReady } from "../support/api";
import { CHROMIUM_FLAGS, uniqueName } from "../support/environment";
import { Line } from "../support/line";
import { READABLE, Terminal } from "../support/terminal";

test.use({ launchOptions: { executablePath: "/usr/bin/chromium", args: [...CHROMIUM_FLAGS, ...READABLE] } });

/** A minute without a network, and a roll of two replicas on a busy machine. */
test.setTimeout(240_000);

const name = uniqueName("endurance");
const run = promisify(execFile);

test.beforeAll(async () => {
  await createSession(name, {});
  await untilReady(name);
});

/** A count that goes on in the shell, and the numbers of it that the screen shows. */
const count = (word: string, to: number): string => `clear; for i in $(seq ${to}); do printf '${word}-%d ' $i; sleep 0.2; done; echo ${word}''-done`;

async function counted(terminal: Terminal, word: string): Promise<number[]> {
  const text = (await terminal.text()).replaceAll("\n", "");
  return [...text.matchAll(new RegExp(`${word}-(\\d+)`, "g"))].map((match) => Number(match[1]));
}

const upTo = (to: number): number[] => Array.from({ length: to }, (_, index) => index + 1);

test("a tab that sleeps wakes to every byte", async ({ page }) => {
  const terminal = await Terminal.open(page, name);
  await terminal.run(count("tick", 40), "tick-3 ");
  const browser = await page.context().newCDPSession(page);
  await browser.send("Page.setWebLifecycleState", { state: "frozen" });
  // The pod goes on meanwhile: most of the count is over.
  const asleep = Date.now();
  await expect.poll(() => Date.now() - asleep, { timeout: 10_000 }).toBeGreaterThan(6_000);
  await browser.send("Page.setWebLifecycleState", { state: "active" });
  await expect(terminal.screen).toContainText("tick-done", { timeout: 30_000 });
  expect(await counted(terminal, "tick")).toEqual(upTo(40));
});

test("a roll of the gateway loses no byte and no key", async ({ page }) => {
  const terminal = await Terminal.open(page, name);
  await terminal.run(count("roll", 100), "roll-3 ");
  const gateways = ["--namespace", "fabrica-system", "deployment/fabrica-gateway"];
  await run("kubectl", ["rollout", "restart", ...gateways]);
  await page.keyboard.type("echo typed-$((20 + 2))");
  await run("kubectl", ["rollout", "status", "--timeout=120s", ...gateways]);
  await page.keyboard.press("Enter");
  await expect(terminal.screen).toContainText("roll-done", { timeout: 60_000 });
  await expect(terminal.screen).toContainText("typed-22");
  expect((await terminal.text()).split("typed-22")).toHaveLength(2);
  expect(await counted(terminal, "roll")).toEqual(upTo(100));
});

test("a minute offline: what is typed waits in sight, and arrives once", async ({ page, context }) => {
  const line = await Line.open();
  try {
    const terminal = await Terminal.open(page, name, line.url);
    await terminal.run(count("far", 60), "far-3 ");
    line.cut();
    await context.setOffline(true);
    await page.keyboard.type("echo offline-$((30 + 3))\n");
    const state = page.locator("header [data-connection]");
    await expect(state).toContainText(/Offline, \d+ keys waiting/);
    const away = Date.now();
    await expect.poll(() => Date.now() - away, { timeout: 70_000, intervals: [5_000] }).toBeGreaterThan(60_000);
    await expect(state).toContainText(/Offline, \d+ keys waiting/);
    line.mend();
    await context.setOffline(false);
    await terminal.connected();
    await expect(terminal.screen).toContainText("offline-33");
    expect((await terminal.text()).split("offline-33")).toHaveLength(2);
    expect(await counted(terminal, "far")).toEqual(upTo(60));
  } finally {
    line.close();
  }
});

test("100 MB flood, and one key ends it", async ({ page }) => {
  const terminal = await Terminal.open(page, name);
  await terminal.run("clear; yes 'a line of a flood that nobody wants to read to its end at all' | head -c 100000000", "a line of a flood");
  const pressed = Date.now();
  await page.keyboard.press("Control+C");
  await page.keyboard.type("echo ended-$?\n");
  await expect(terminal.screen).toContainText("ended-130", { timeout: 20_000 });
  // Far more than it takes, and far less than to draw what is left of the flood.
  expect(Date.now() - pressed).toBeLessThan(5_000);
  await terminal.run("echo alive-$((40 + 4))", "alive-44");
});
