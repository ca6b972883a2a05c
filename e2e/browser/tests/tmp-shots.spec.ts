import { expect, test } from "@playwright/test";
import { APPROVAL, DONE, FakeRuntime, STORY } from "../support/fake-chat";
import { READABLE } from "../support/terminal";
import { CHROMIUM_FLAGS } from "../support/environment";
import { chatSession, inhabit } from "../support/world";
test.use({ launchOptions: { executablePath: "/usr/bin/chromium", args: [...CHROMIUM_FLAGS, ...READABLE] } });
for (const [width, height, scheme] of [[1440, 860, "dark"], [1440, 860, "light"], [360, 740, "light"], [360, 740, "dark"]] as const) {
  test(`${width} ${scheme}`, async ({ browser, baseURL }) => {
    const context = await browser.newContext({ baseURL, colorScheme: scheme, viewport: { width, height }, hasTouch: width === 360, reducedMotion: "reduce", storageState: "test-results/login.json" });
    const page = await context.newPage();
    page.on("console", (m) => { if (m.type() === "error" || m.type() === "warning") console.log(m.text()); });
    page.on("pageerror", (e) => console.log(String(e)));
    await inhabit(page, { runs: [], sessions: [chatSession("talk")] });
    const fake = await FakeRuntime.serve(page);
    fake.tell(...STORY);
    fake.agent = "working";
    await page.goto("/ns/demo/sessions/talk");
    await expect(page.getByText("The tests pass now")).toBeVisible();
    await page.evaluate(() => document.fonts.ready);
    const out = `/tmp/c3-shots/`;
    await page.screenshot({ path: `${out}work-${width}-${scheme}.png` });
    fake.tell(APPROVAL).agentIs("waiting");
    await expect(page.locator("[data-question]")).toBeVisible();
    await page.screenshot({ path: `${out}ask-${width}-${scheme}.png` });
    fake.answeredBy("ada", "approve-release-1", "approve").tell(...DONE).agentIs("idle");
    await expect(page.getByRole("link", { name: /Pull request/ })).toBeVisible();
    await page.screenshot({ path: `${out}done-${width}-${scheme}.png` });
    await page.getByRole("log").evaluate((box) => box.scrollTo({ top: 0 }));
    await page.screenshot({ path: `${out}top-${width}-${scheme}.png` });
    if (width === 360) for (const tab of ["To do", "Terminal"]) { await page.getByRole("tab", { name: tab }).click(); await page.waitForTimeout(500); await page.screenshot({ path: `${out}${tab.slice(0,2)}-${width}-${scheme}.png` }); }
    await context.close();
  });
}
