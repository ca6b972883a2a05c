import { expect, test, type Locator, type Page } from "@playwright/test";
import { FakeForge } from "../support/fake-forge";
import { choose } from "../support/form";
import { expectNoSidewaysScroll, expectNoViolations } from "../support/looks";

const repository = (page: Page) => page.getByLabel("Repository", { exact: true });
const item = (page: Page) => page.getByLabel("Work item", { exact: true });
const options = (page: Page, list: string | RegExp) => page.getByRole("listbox", { name: list }).getByRole("option");
const told = (field: Locator) => field.locator("xpath=..").getByRole("status");

async function open(page: Page, what: "sessions" | "runs" = "sessions"): Promise<FakeForge> {
  const forge = await FakeForge.serve(page);
  await page.goto(`/${what}?new`);
  await expect(repository(page)).toHaveRole("combobox");
  return forge;
}

async function openChat(page: Page): Promise<FakeForge> {
  const forge = await open(page);
  await choose(page, /^Chat/);
  return forge;
}

test("a repository is found and picked by keys alone, and says which forge it is of", async ({ page }) => {
  const forge = await openChat(page);
  await repository(page).focus();
  await page.keyboard.type("shop");
  await expect(options(page, "Repositories")).toHaveText([/platform\/shop\s*git\.example\.com · What customers see/, /platform\/shopping-list.*private/]);
  await expect(told(repository(page))).toHaveText("2 found. Arrow down chooses.");
  expect(forge.asked.filter((each) => each.startsWith("0/repositories"))).toEqual(["0/repositories shop"]);

  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await expect(options(page, "Repositories").and(page.getByRole("option", { selected: true }))).toContainText("shopping-list");
  await page.keyboard.press("Enter");
  await expect(repository(page)).toHaveValue("https://git.example.com/platform/shopping-list.git");
  await expect(page.getByRole("listbox")).toHaveCount(0);
  await expect(page.getByText("It is private: name a Secret for it under More")).toBeVisible();
  await expect(page.getByLabel("Forge", { exact: true })).toHaveValue("Gitea");
});

test("escape closes the list, then the dialog; what was typed stays", async ({ page }) => {
  await open(page);
  await repository(page).click();
  await expect(options(page, "Repositories")).toHaveCount(2);
  await repository(page).pressSequentially("https://git.example.com/platform/sho");
  await expect(options(page, "Repositories")).toHaveCount(2);
  await page.keyboard.press("Escape");
  await expect(page.getByRole("listbox")).toHaveCount(0);
  await expect(repository(page)).toHaveValue("https://git.example.com/platform/sho");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("a work item is found by its words or its number, and its title is shown", async ({ page }) => {
  const forge = await openChat(page);
  await expect(item(page)).toHaveRole("textbox");
  await repository(page).fill("https://git.example.com/platform/shop");
  await expect(item(page)).toHaveRole("combobox");
  await item(page).click();
  await expect(options(page, "Work items of platform/shop")).toHaveText([/The window is stuck\s*#14/, /The door squeaks\s*#12/]);
  await item(page).pressSequentially("door");
  await expect(options(page, /^Work items/)).toHaveCount(1);
  await options(page, /^Work items/).click();
  await expect(item(page)).toHaveValue("#12");
  await expect(page.getByText("#12: The door squeaks")).toBeVisible();
  expect(forge.asked).toContain("0/work-items door");

  await item(page).fill("Platform/Shop#3");
  await expect(page.getByText("#3, closed: Paint the fence")).toBeVisible();
  await item(page).fill("77");
  await expect(page.getByText("The gateway sees no work item #77 there")).toBeVisible();
  await page.getByRole("button", { name: "Show YAML" }).click();
  await expect(page.getByRole("dialog")).toContainText('workId: "77"');
});

test("a run has the same fields", async ({ page }) => {
  await open(page, "runs");
  await page.getByLabel("Work", { exact: true }).selectOption("item");
  await repository(page).fill("shop");
  await options(page, "Repositories").first().click();
  await expect(page.getByLabel("Forge", { exact: true })).toHaveValue("Gitea");
  await item(page).fill("window");
  await expect(options(page, /^Work items/)).toHaveCount(1);
  await item(page).press("ArrowUp");
  await item(page).press("Enter");
  await expect(item(page)).toHaveValue("#14");
  await page.getByRole("button", { name: "Show YAML" }).click();
  await expect(page.getByRole("dialog")).toContainText("forge: Gitea");
});

test("a forge that does not answer leaves a field that one can type into", async ({ page }) => {
  const forge = await openChat(page);
  forge.fail(502, "https://git.example.com does not answer; try again in a moment, or give the address by hand.");
  await repository(page).fill("https://git.example.com/platform/shop");
  await expect(told(repository(page))).toContainText("https://git.example.com does not answer");
  await item(page).fill("#12");
  await expect(page.getByText("An issue that says what to do")).toBeVisible();
  await item(page).press("Escape");
  await page.getByRole("button", { name: "Show YAML" }).click();
  await expect(page.getByRole("dialog")).toContainText("url: https://git.example.com/platform/shop");
  await expect(page.getByRole("dialog")).toContainText('workId: "#12"');
});

test("without forges, and where they cannot be had, the fields are as plain as any", async ({ page }) => {
  for (const answer of [{ json: { items: [] } }, { status: 403, json: { title: "Forbidden", status: 403 } }]) {
    await page.route("**/api/v1/forges", (route) => route.fulfill(answer));
    await page.goto("/sessions?new");
    await repository(page).fill("shop");
    await expect(repository(page)).toHaveRole("textbox");
    await page.unroute("**/api/v1/forges");
  }
});

test("what the gateway does not allow is not offered, and its budget stands where one may type another", async ({ page }) => {
  const me = async (chatEnabled: boolean): Promise<void> => {
    await page.route("**/api/v1/me", async (route) => route.fulfill({ json: { ...((await (await route.fetch()).json()) as object), chatEnabled, defaultBudgetUSD: "2.50" } }));
  };
  await me(true);
  await page.goto("/sessions?new");
  await choose(page, /^Chat/);
  await expect(page.getByLabel("Budget in USD")).toHaveAttribute("placeholder", "the cluster's default, 2.50");
  // A draft of before is no way around it.
  await me(false);
  await page.reload();
  await expect(repository(page)).toBeVisible();
  await expect(page.getByRole("radio", { name: /^(Chat|Terminal)/ })).toHaveCount(0);
  await page.getByRole("button", { name: "Show YAML" }).click();
  await expect(page.getByRole("dialog")).toContainText("kind: Session");
  await expect(page.getByRole("dialog")).not.toContainText("mode:");
});

for (const colorScheme of ["dark", "light"] as const) {
  test.describe(`in the ${colorScheme} theme`, () => {
    test.use({ colorScheme, contextOptions: { reducedMotion: "reduce" } });
    test("open lists have no accessibility errors and fit 360 px", async ({ page }) => {
      await openChat(page);
      await repository(page).fill("shop");
      await expect(options(page, "Repositories")).toHaveCount(2);
      await page.keyboard.press("ArrowDown");
      await expectNoViolations(page);
      await page.setViewportSize({ width: 360, height: 740 });
      await expectNoViolations(page);
      await expectNoSidewaysScroll(page);
      await repository(page).fill("https://git.example.com/platform/shop");
      await item(page).click();
      await expect(options(page, /^Work items/)).toHaveCount(2);
      await expectNoViolations(page);
      await expectNoSidewaysScroll(page);
    });
  });
}
