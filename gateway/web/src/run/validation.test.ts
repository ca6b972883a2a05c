import { describe, expect, it } from "vitest";
import { rulesOf } from "../../test/rules";
import { placeErrors } from "../form/errors";
import { firstHeading, readPlanFile } from "./plan-file";
import { EMPTY_DRAFT, PLACES, PLAN_CHARACTERS, specOf, validate, type Draft, type DraftField } from "./validation";

const draft = (part: Partial<Draft>): Draft => ({ ...EMPTY_DRAFT, namespace: "demo", url: "https://git.example.com/a/b", plan: "# Plan", ...part });

const RULED: [string, Draft, DraftField][] = [
  ["another scheme", draft({ url: "ssh://git.example.com/a" }), "url"],
  ["a user part", draft({ url: "https://me:secret@git.example.com/a" }), "url"],
  ["a base with two dots", draft({ base: "a..b" }), "base"],
  ["a branch with a forbidden character", draft({ branch: "a~b" }), "branch"],
  ["a branch with a hidden part", draft({ branch: "a/.b" }), "branch"],
  ["a title of two lines", draft({ title: "a\nb" }), "title"],
  ["a work item without a number", draft({ work: "item", workId: "shop" }), "workId"],
  ["a work item with a path and no #", draft({ work: "item", workId: "a/b12" }), "workId"],
  ["a work item for a script", draft({ work: "item", workId: "#12", driver: "Script" }), "workId"],
  ["a model that begins with a dash", draft({ model: "-m" }), "model"],
  ["a budget of nothing", draft({ budget: "0.00" }), "budget"],
  ["a budget in words", draft({ budget: "two" }), "budget"],
  ["a dotted name", draft({ name: "a.b" }), "name"],
];

describe("validate", () => {
  it.each(RULED)("refuses %s in the words of the API", (_name, bad, field) => {
    expect(rulesOf("runs")).toContain(validate(bad)[field]);
  });

  it.each<[string, Partial<Draft>, DraftField]>([
    ["no repository", { url: "" }, "url"],
    ["an empty plan", { plan: " \n" }, "plan"],
    ["a plan that is too long", { plan: "x".repeat(PLAN_CHARACTERS + 1) }, "plan"],
    ["a title that is too long", { title: "x".repeat(201) }, "title"],
  ])("refuses %s", (_name, part, field) => {
    expect(Object.keys(validate(draft(part)))).toEqual([field]);
  });

  it("takes what is right, and writes down only what was chosen", () => {
    expect(validate(draft({ plan: "x".repeat(PLAN_CHARACTERS) }))).toEqual({});
    expect(specOf(draft({}))).toEqual({ repository: { url: "https://git.example.com/a/b" }, plan: "# Plan" });
    expect(specOf(draft({ base: "main", secret: "login", deadline: "900", attempts: "1", branch: "b", title: "t", image: "i" }))).toEqual({
      repository: { url: "https://git.example.com/a/b", branch: "main", secretRef: { name: "login" } },
      title: "t",
      branch: "b",
      image: "i",
      deadlineSeconds: 900,
      maxAttempts: 1,
      plan: "# Plan",
    });
  });

  it("asks no model for a script, and no plan for a work item", () => {
    const script = draft({ driver: "Script", model: "-", budget: "0" });
    expect(validate(script)).toEqual({});
    expect(specOf(script).agent).toEqual({ driver: "Script" });
    const item = draft({ work: "item", workId: "a/b#12", plan: "", model: "m", budget: "2.50", forge: "Gitea", labels: "a, b,,a", pullRequestDraft: true });
    expect(validate(item)).toEqual({});
    expect(specOf(item, "Heading")).toEqual({
      repository: { url: "https://git.example.com/a/b", forge: "Gitea" },
      agent: { model: "m", budgetUSD: "2.50" },
      pullRequest: { labels: ["a", "b"], draft: true },
      workId: "a/b#12",
    });
  });

  it("shows an error of the API beside its field", () => {
    const { fields, rest } = placeErrors(PLACES, [
      { field: "spec.repository.branch", message: "no" },
      { field: "spec.env[0].name", message: "bad" },
    ]);
    expect(fields).toEqual({ base: "no" });
    expect(rest).toEqual(["spec.env[0].name: bad"]);
  });
});

describe("a plan's title", () => {
  it.each([
    ["intro\n\n## Fix the shop ##\n", "Fix the shop"],
    ["```sh\n# a comment\n```\n# After", "After"],
    ["~~~\n```\n# no\n~~~\n# Yes", "Yes"],
    ["```sh\n# never closed\n", undefined],
    ["#hashtag\n####### seven\n#", undefined],
  ])("%j", (plan, title) => {
    expect(firstHeading(plan)).toBe(title);
  });

  it("stands in the spec unless another is given", () => {
    expect(specOf(draft({}), "Plan").title).toBe("Plan");
    expect(specOf(draft({ title: "Own" }), "Plan").title).toBe("Own");
  });
});

describe("a plan's file", () => {
  it("without front matter is all plan", async () => {
    expect(await readPlanFile("# Plan\n---\n")).toEqual({ fields: {}, plan: "# Plan\n---\n", mistakes: [] });
  });

  it("gives its fields and the rest", async () => {
    const text = '---\n# where\nrepo: https://git.example.com/a\ntitle: "Fix: rounding"\nbase: 2026\n---\n\n# Plan\n';
    expect(await readPlanFile(text)).toEqual({ fields: { url: "https://git.example.com/a", title: "Fix: rounding", base: "2026" }, plan: "# Plan\n", mistakes: [] });
  });

  it("knows model, budget and a forge in any case", async () => {
    const { fields } = await readPlanFile("---\nrepo: x\nmodel: m\nbudgetUSD: 2.50\nforge: gitea\n---\nx");
    expect(fields).toEqual({ url: "x", model: "m", budget: "2.50", forge: "Gitea" });
  });

  it.each([
    ["---\nrepo: x\n# Plan", "line 1: the front matter does not end"],
    ["---\n---\nx", "line 1, repo: must be set"],
    ["---\nrepo: x\ncolour: red\n---\nx", "line 3, colour: this field does not exist"],
    ["---\nrepo: x\nforge: gitlab\n---\nx", "line 3, forge: must be GitHub or Gitea"],
    ["---\nrepo: x\ntitle: [a]\n---\nx", "line 3, title: must be one value"],
    ["---\nrepo: x\ntitle:\n---\nx", "line 3, title: must be one value"],
    ["---\nrepo: x\nrepo: y\n---\nx", "line 3: "],
    ["---\njust words\n---\nx", "line 2: write lines such as"],
  ])("tells line and field of %j", async (text, words) => {
    const { mistakes } = await readPlanFile(text);
    expect(mistakes[0]).toContain(words);
  });
});
