// What every page must be, whatever it shows.

import AxeBuilder from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";

export async function expectNoViolations(page: Page): Promise<void> {
  // A menu floats above the page and belongs to its button, not to a landmark.
  const menuIsOpen = (await page.getByRole("menu").count()) > 0;
  const { violations } = await new AxeBuilder({ page }).disableRules(menuIsOpen ? ["region"] : []).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`)).toEqual([]);
}

export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(wide).toBe(0);
}
