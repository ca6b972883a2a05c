import { describe, expect, it } from "vitest";
import { rulesOf } from "../../test/rules";
import { placeErrors } from "../form/errors";
import { manifest, toYaml } from "./manifest";
import { EMPTY_DRAFT, PLACES, specOf, validate, type Draft, type DraftField } from "./validation";

const draft = (part: Partial<Draft>): Draft => ({ ...EMPTY_DRAFT, namespace: "demo", ...part });
const repository = (part: Partial<Draft>): Draft => draft({ url: "https://git.example.com/a/b", ...part });

const BAD: [string, Draft, DraftField][] = [
  ["a dotted name", draft({ name: "a.b" }), "name"],
  ["a name of 53 characters", draft({ name: "a".repeat(53) }), "name"],
  ["a name that ends with a hyphen", draft({ name: "a-" }), "name"],
  ["another scheme", draft({ url: "ssh://git.example.com/a" }), "url"],
  ["no host", draft({ url: "https:///a" }), "url"],
  ["a user part", draft({ url: "https://me:secret@git.example.com/a" }), "url"],
  ["a space in the address", draft({ url: "https://git.example.com/a b" }), "url"],
  ["git's forbidden characters", repository({ branch: "a~b" }), "branch"],
  ["two dots", repository({ branch: "a..b" }), "branch"],
  ["@", repository({ branch: "@" }), "branch"],
  ["a leading hyphen", repository({ branch: "-a" }), "branch"],
  ["a hidden part", repository({ branch: "a/.b" }), "branch"],
  ["a part that ends with .lock", repository({ branch: "a.lock/b" }), "branch"],
  ["a size that is no quantity", draft({ size: "ten" }), "size"],
  ["a size of nothing", draft({ size: "0" }), "size"],
  ["an idle timeout without a volume", draft({ volume: false, idle: "1800" }), "idle"],
];

describe("validate", () => {
  it.each(BAD)("refuses %s in the words of the API", (_name, bad, field) => {
    expect(rulesOf("sessions")).toContain(validate(bad)[field]);
  });

  it("refuses a branch of 101 characters and takes one of 100", () => {
    expect(validate(repository({ branch: "b".repeat(101) }))).toHaveProperty("branch");
    expect(validate(repository({ branch: "b".repeat(100) }))).toEqual({});
  });

  it.each([
    ["the empty form", draft({})],
    ["a full form", repository({ name: "a1-b", branch: "feature/x_1", size: "1.5Ti", idle: "1800", retain: true })],
    ["an address with an @ in its path", draft({ url: "https://git.example.com/@me/x" })],
  ])("takes %s", (_name, good) => expect(validate(good)).toEqual({}));
});

const chat = (part: Partial<Draft>): Draft => repository({ mode: "Chat", workId: "12", ...part });

describe("a conversation", () => {
  it.each<[string, Draft, DraftField]>([
    ["no repository", chat({ url: "" }), "url"],
    ["no work item", chat({ workId: "" }), "workId"],
    ["a work item that is none", chat({ workId: "twelve" }), "workId"],
    ["a budget of nothing", chat({ budget: "0" }), "budget"],
    ["a model with a space", chat({ model: "a b" }), "model"],
  ])("is refused with %s in the words of the API", (_name, bad, field) => expect(rulesOf("sessions")).toContain(validate(bad)[field]));

  it("needs no work item when it is but a conversation", () => expect(validate(chat({ workId: "", workflow: "None" }))).toEqual({}));

  it("asks for what it needs", () => {
    expect(specOf(chat({ volume: false, forge: "Gitea", budget: "2.50", autonomy: "Assist" }))).toEqual({
      mode: "Chat",
      workflow: "Faber",
      autonomy: "Assist",
      workId: "12",
      repository: { url: "https://git.example.com/a/b", forge: "Gitea" },
      agent: { budgetUSD: "2.50" },
    });
    expect(specOf(chat({ volume: false, workflow: "None" }))).toEqual({ mode: "Chat", workflow: "None", repository: { url: "https://git.example.com/a/b" } });
  });
});

describe("an agent in a terminal", () => {
  it("is there from the beginning", () => {
    expect(validate(repository({ agent: true }))).toEqual({});
    expect(specOf(repository({ agent: true, volume: false }))).toEqual({ repository: { url: "https://git.example.com/a/b" }, agentState: "On" });
  });

  it("is refused without a repository in the words of the API", () => expect(rulesOf("sessions")).toContain(validate(draft({ agent: true })).url));

  it("is nothing that a conversation is asked for", () => expect(specOf(chat({ agent: true }))).not.toHaveProperty("agentState"));

  it("is written down so that kubectl reads it as it is meant", async () => {
    const text = await toYaml(manifest({ namespace: "demo", name: "a", spec: specOf(repository({ agent: true, branch: "off" })) }));
    expect(text).toContain('agentState: "On"');
    expect(text).toContain('branch: "off"');
    expect(text.startsWith("apiVersion:")).toBe(true);
  });
});

describe("specOf", () => {
  it("holds only what was asked for", () => {
    expect(specOf(draft({ volume: false }))).toEqual({});
    expect(specOf(repository({ branch: "x", secret: "s", image: "i", resources: "small", idle: "1800", retain: true, storageClass: "fast" }))).toEqual({
      repository: { url: "https://git.example.com/a/b", branch: "x", secretRef: { name: "s" } },
      image: "i",
      resources: { requests: { cpu: "250m", memory: "512Mi" }, limits: { cpu: "1", memory: "2Gi" } },
      workspace: { size: "10Gi", retain: true, storageClassName: "fast" },
      idleTimeoutSeconds: 1800,
    });
  });
});

it("puts the API's errors beside their fields and shows the others too", () => {
  expect(
    placeErrors(PLACES, [
      { field: "spec.repository.url", message: "a" },
      { field: "spec.repository.branch", message: "b" },
      { field: "spec.resources.limits[cpu]", message: "c" },
      { field: "spec", message: "spec.idleTimeoutSeconds needs spec.workspace" },
      { field: "spec.env[0].name", message: "d" },
    ]),
  ).toEqual({
    fields: { url: "a", branch: "b", resources: "c", idle: "spec.idleTimeoutSeconds needs spec.workspace" },
    rest: ["spec.env[0].name: d"],
  });
});
