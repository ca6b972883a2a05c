import type { FullResult, Reporter, Suite } from "@playwright/test/reporter";

/** The line that whoever calls the tests reads: how many there were, and how they ended. */
export default class ClosingLine implements Reporter {
  #suite: Suite | undefined;

  onBegin(_config: unknown, suite: Suite): void {
    this.#suite = suite;
  }

  onEnd(result: FullResult): void {
    const outcomes = (this.#suite?.allTests() ?? []).map((test) => test.outcome());
    const count = (...kinds: string[]): number => outcomes.filter((outcome) => kinds.includes(outcome)).length;
    process.stdout.write(`\nbrowser tests: ${result.status}. ${count("expected", "flaky")} passed; ${count("unexpected")} failed; ${count("skipped")} skipped\n`);
  }
}
