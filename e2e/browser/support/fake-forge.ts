// Forges as the gateway shows them, for what a real one cannot be brought to do at will. The page and its requests are
// the real ones.

import type { Page, Route } from "@playwright/test";

const FORGES = [
  { id: 0, kind: "Gitea", url: "https://git.example.com", authenticated: true },
  { id: 1, kind: "GitHub", url: "https://github.com", authenticated: false },
];

const REPOSITORIES = [
  { name: "platform/shop", url: "https://git.example.com/platform/shop.git", description: "What customers see", private: false },
  { name: "platform/shopping-list", url: "https://git.example.com/platform/shopping-list.git", private: true },
];

const ITEMS = [
  { number: 14, title: "The window is stuck", open: true },
  { number: 12, title: "The door squeaks", open: true },
  { number: 3, title: "Paint the fence", open: false },
];

export class FakeForge {
  /** What was searched: path and query, decoded. */
  readonly asked: string[] = [];
  #failure: { status: number; detail: string } | undefined;

  static async serve(page: Page): Promise<FakeForge> {
    const forge = new FakeForge();
    await page.route("**/api/v1/forges", (route) => route.fulfill({ json: { items: FORGES } }));
    await page.route("**/api/v1/forges/*/**", (route) => forge.#answer(route));
    return forge;
  }

  /** From now on nothing is found. */
  fail(status: number, detail: string): void {
    this.#failure = { status, detail };
  }

  #answer(route: Route): Promise<void> {
    const { pathname, searchParams } = new URL(route.request().url());
    const words = searchParams.get("q") ?? "";
    this.asked.push(`${pathname.replace("/api/v1/forges/", "")} ${words}`);
    if (this.#failure !== undefined) {
      const { status, detail } = this.#failure;
      return route.fulfill({ status, json: { type: "about:blank", title: "Bad Gateway", status, detail } });
    }
    if (pathname.endsWith("/work-items")) return route.fulfill({ json: { items: items(words) } });
    return route.fulfill({ json: { items: pathname.includes("/0/") ? REPOSITORIES.filter(({ name }) => name.includes(words)) : [] } });
  }
}

/** Like the gateway's: the one that a number names, else open ones that hold the words. */
function items(words: string): object[] {
  const number = /^#?(\d+)$/.exec(words)?.[1];
  if (number !== undefined) return ITEMS.filter((item) => item.number === Number(number));
  return ITEMS.filter(({ open, title }) => open && title.toLowerCase().includes(words.toLowerCase()));
}
