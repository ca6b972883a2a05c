// A terminal on the page, as a person uses it: eyes on the screen, fingers on the keys.

import { expect, type Locator, type Page } from "@playwright/test";
import { namespace } from "./api";

/**
 * Without 3D the emulator draws into the DOM, where a test can read. That also is the fall-back of browsers that have no
 * WebGL; the test of WebGL itself does without this.
 */
export const READABLE = ["--disable-3d-apis"];

export class Terminal {
  readonly screen: Locator;

  constructor(private readonly page: Page) {
    this.screen = page.locator(".xterm-rows");
  }

  /** The page of a Session, behind another address than the gateway's if a line leads there. */
  static async open(page: Page, session: string, base = ""): Promise<Terminal> {
    await page.goto(`${base}/ns/${await namespace()}/sessions/${session}`);
    const terminal = new Terminal(page);
    await terminal.connected();
    return terminal;
  }

  async connected(): Promise<void> {
    await expect(this.page.locator("header [data-connection=live]")).toContainText("Connected", { timeout: 90_000 });
  }

  /** Types a line and waits for a word of its output. The word must not stand in the line itself. */
  async run(line: string, word: string): Promise<void> {
    await this.page.locator(".xterm-helper-textarea").focus();
    await this.page.keyboard.type(line);
    await this.page.keyboard.press("Enter");
    await expect(this.screen).toContainText(word);
  }

  /** All that is on the screen, one row a line, with single spaces. */
  async text(): Promise<string> {
    const rows = await this.screen.locator("> div").allTextContents();
    return rows.map((row) => row.replaceAll("\u00a0", " ").trimEnd()).join("\n");
  }
}
