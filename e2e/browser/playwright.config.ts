import { defineConfig } from "@playwright/test";
import { CHROMIUM_FLAGS, environment } from "./support/environment";

export default defineConfig({
  testDir: "tests",
  outputDir: "test-results",
  // The cluster has two cores; a second browser would only make both slow.
  workers: 1,
  forbidOnly: true,
  timeout: 100_000,
  expect: { timeout: 15_000 },
  globalSetup: "./support/login.ts",
  globalTeardown: "./support/clean-up.ts",
  reporter: [["list"], ["./support/closing-line.ts"]],
  use: {
    baseURL: environment().url,
    storageState: "test-results/login.json",
    launchOptions: { executablePath: "/usr/bin/chromium", args: CHROMIUM_FLAGS },
    permissions: ["clipboard-read", "clipboard-write"],
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
  },
});
