import { defineConfig } from "@playwright/test";
import base from "./playwright.config";

/** `npm run speed`: the page's own figures. A part of `make bench`, for a busy machine proves nothing about the page. */
export default defineConfig(base, { testDir: "speed" });
