import { expect, test } from "@playwright/test";
import { createSession, namespace, untilReady } from "../support/api";
import { uniqueName } from "../support/environment";
import { Terminal } from "../support/terminal";

test("the emulator draws with WebGL, and falls back when the context is lost", async ({ page }) => {
  const name = uniqueName("webgl");
  await createSession(name, {});
  await untilReady(name);
  await page.goto(`/ns/${await namespace()}/sessions/${name}`);
  const terminal = new Terminal(page);
  await terminal.connected();
  const canvas = page.locator(".xterm-screen canvas").last();
  test.skip((await canvas.count()) === 0, "this Chromium has no WebGL");
  await canvas.evaluate((element: HTMLCanvasElement) => element.getContext("webgl2")?.getExtension("WEBGL_lose_context")?.loseContext());
  await expect(terminal.screen).toBeVisible({ timeout: 20_000 });
  await terminal.run("echo drawn-$((8 + 8))", "drawn-16");
});
