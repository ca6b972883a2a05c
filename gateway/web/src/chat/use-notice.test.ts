import { afterEach, describe, expect, it, vi } from "vitest";
import { notify } from "./use-notice";

describe("a notification", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("is left out where the browser has none for pages", () => {
    vi.stubGlobal("Notification", function refuse(): never {
      throw new TypeError("Illegal constructor");
    });
    expect(() => notify("a waits for you", { body: "May I?" })).not.toThrow();
  });
});
