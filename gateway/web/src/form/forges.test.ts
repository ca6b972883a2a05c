import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Forge } from "../api/types";
import { forgeField, itemNumber, placeOf, searchesFor } from "./forges";

const hub: Forge = { id: 0, kind: "GitHub", url: "https://github.com", authenticated: true };
const tea: Forge = { id: 1, kind: "Gitea", url: "http://10.0.0.1:3000/git", authenticated: false };
const forges = [hub, tea];

describe("the place of an address", () => {
  it.each([
    ["https://github.com/team/shop", 0, "team/shop"],
    ["https://GitHub.com/team/shop.git", 0, "team/shop"],
    [" http://10.0.0.1:3000/git/team/sh.op/ ", 1, "team/sh.op"],
  ])("%s", (address, id, repository) => {
    const place = placeOf(address, forges);
    expect([place?.forge.id, place?.repository]).toEqual([id, repository]);
  });

  it.each(["", "team/shop", "https://github.com/team", "https://github.com/team/shop/issues", "https://github.com.evil.test/team/shop", "http://10.0.0.1:3000/team/shop", "https://github.com/team/sh%20op"])("is unknown of %j", (address) => {
    expect(placeOf(address, forges)).toBeUndefined();
  });
});

describe("what is searched", () => {
  const asked = (text: string) => searchesFor(text, forges).map(({ forge, words }) => [forge.id, words]);

  it("is everywhere for words, and nowhere for an address that is elsewhere", () => {
    expect(asked(" shop ")).toEqual([[0, "shop"], [1, "shop"]]);
    expect(asked("")).toEqual([[0, ""], [1, ""]]);
    expect(asked("httpd")).toEqual([[0, "httpd"], [1, "httpd"]]);
    for (const text of ["http", "https:", "https://", "https://git.example.com/team/shop"]) expect(asked(text)).toEqual([]);
  });

  it("is the forge that an address begins with", () => {
    expect(asked("https://github.com/")).toEqual([[0, ""]]);
    expect(asked("https://github.com/team/sh")).toEqual([[0, "team/sh"]]);
    expect(asked("http://10.0.0.1:3000/git/team/shop.git")).toEqual([[1, "team/shop"]]);
  });

  it("finds again what was picked", () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,9}$/);
    fc.assert(
      fc.property(fc.constantFrom(...forges), name, name, (forge, owner, repository) => {
        const address = `${forge.url}/${owner}/${repository}.git`;
        expect(placeOf(address, forges)).toEqual({ forge, repository: `${owner}/${repository}` });
        expect(searchesFor(address, forges)).toEqual([{ forge, words: `${owner}/${repository}` }]);
      }),
    );
  });
});

it.each([
  ["12", 12],
  [" #12 ", 12],
  ["Team/Shop#12", 12],
  ["team/other#12", undefined],
  ["#0", undefined],
  ["door", undefined],
  ["", undefined],
])("the item of %j", (workId, number) => {
  expect(itemNumber(workId, "team/shop")).toBe(number);
});

it("says the forge where the address does not", () => {
  expect(forges.map(forgeField)).toEqual(["", "Gitea"]);
});
