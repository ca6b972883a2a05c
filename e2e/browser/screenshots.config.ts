import { defineConfig } from "@playwright/test";
import base from "./playwright.config";

/** `npm run screenshots`: the pictures of docs/screenshots, from the cluster that FABRICA_URL names. */
export default defineConfig(base, { testDir: "screenshots", reporter: "list", timeout: 300_000 });
