// Runs of the fake gateway: one in every state, and new ones that walk through their plan.

import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";

const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();
const succeeded = (status, reason, message) => ({ type: "Succeeded", status, reason, message, lastTransitionTime: ago(1) });
const message = (seq, minutes, type, text) => ({ seq, time: ago(minutes), type, text });

export class Runs extends EventEmitter {
  constructor() {
    super();
    this.setMaxListeners(0);
    this.all = new Map();
    /** Those that were deleted, as the archive keeps them. */
    this.archived = new Map();
    this.version = 5000;
  }

  add(namespace, name, spec, status, minutes = 0) {
    const run = { namespace, name, uid: randomUUID(), createdAt: ago(minutes), generation: 1, resourceVersion: "0", spec: { owner: "system:serviceaccount:demo:ada", ...spec }, status };
    this.all.set(`${namespace}/${name}`, run);
    this.changed(run);
    return run;
  }

  changed(run) {
    run.resourceVersion = String((this.version += 1));
    this.emit("run", run);
  }

  get(namespace, name) {
    return this.all.get(`${namespace}/${name}`);
  }

  remove(run) {
    this.all.delete(`${run.namespace}/${run.name}`);
    this.archived.set(`${run.namespace}/${run.name}`, { ...run, archived: true });
    this.emit("deleted", { kind: "Run", namespace: run.namespace, name: run.name, uid: run.uid });
  }

  end(run, phase, reason, words) {
    const attempts = (run.status?.attempts ?? []).map((attempt) => ({ ...attempt, finishedAt: ago(0), cause: attempt.cause ?? reason }));
    run.status = { ...run.status, phase, finishedAt: ago(0), attempts, conditions: [succeeded(phase === "Completed" ? "True" : "False", reason, words)] };
    if (phase === "Completed") run.status.commit = "4be1c0de4be1c0de4be1c0de4be1c0de4be1c0de";
    this.changed(run);
  }

  /** The first answer to the open question counts; the agent goes on a little later. */
  answer(run, answer) {
    run.spec = { ...run.spec, answers: [...(run.spec.answers ?? []), answer] };
    this.changed(run);
    setTimeout(() => {
      const attempts = run.status.attempts;
      run.status = { ...run.status, escalation: undefined, phase: "Running", conditions: [succeeded("Unknown", "Running", "Attempt 2 runs.")], attempts: [...attempts, { number: 2, podName: `${run.name}-run-2`, startedAt: ago(0) }] };
      this.changed(run);
    }, 1500);
  }

  start(run) {
    const branch = run.spec.branch ?? `fabrica/${run.uid.slice(0, 8)}`;
    run.status = { phase: "Running", branch, startedAt: ago(0), attempts: [{ number: 1, podName: `${run.name}-run-1`, startedAt: ago(0) }], messages: [], conditions: [succeeded("Unknown", "Running", "Attempt 1 runs.")] };
    this.changed(run);
    const texts = ["Cloned repository, branch main (1.2 s)", "Block 1 of 2", "Block 2 of 2", "Pushed the branch"];
    texts.forEach((text, at) =>
      setTimeout(() => {
        if (run.status.phase !== "Running") return;
        run.status = { ...run.status, messages: [...run.status.messages, message(at + 1, 0, "Finished", text)] };
        this.changed(run);
        if (at === texts.length - 1) this.end(run, "Completed", "Succeeded", `The work is on the branch ${branch}.`);
      }, 600 * (at + 1)),
    );
  }
}

export function exampleRuns() {
  const runs = new Runs();
  const repository = { url: "https://git.example.com/platform/checkout.git", branch: "main" };
  const plan = "# Round invoices to the cent\n\nThe sums of **invoices** are off by one cent. First see the tests fail:\n\n```sh\nnpm test -- rounding\n```\n\nThen fix it, and see them pass:\n\n```sh\nsed -i 's/Math.floor/Math.round/' src/invoice.ts\nnpm test\n```\n";
  const spec = { repository, plan, title: "Round invoices to the cent", agent: { driver: "Script" }, deadlineSeconds: 3600, maxAttempts: 2 };
  const lines = [message(1, 4, "Finished", "Cloned repository, branch main (1.2 s)"), message(2, 3, "Finished", "Installed dependencies (38 s)"), message(3, 2, "Started", "Block 1 of 2: npm test -- rounding"), message(4, 1, "Failed", "Block 1 of 2 ended with code 1:\nexpected 10.01, got 10.00"), message(5, 0.5, "Notice", "Attempt 2 begins")];
  runs.add("demo", "rounding", spec, { phase: "Running", branch: "fabrica/0a1b2c3d", startedAt: ago(4), attempts: [{ number: 1, podName: "rounding-run-1", startedAt: ago(4), finishedAt: ago(1), cause: "AgentFailed" }, { number: 2, podName: "rounding-run-2", startedAt: ago(0.5) }], messages: lines, conditions: [succeeded("Unknown", "Running", "Attempt 2 runs.")] }, 5);
  const usage = { inputTokens: 48210, outputTokens: 9120, cacheReadTokens: 310400, cacheWriteTokens: 22100, estimatedCostUSD: "0.4571" };
  const faber = { phase: "evaluate", todos: [{ text: "See which dependencies are old", status: "Completed" }, { text: "Run the tests with the new ones", status: "InProgress" }, { text: "Write the notes", status: "Pending" }] };
  runs.add("demo", "issue", { repository: { ...repository, forge: "Gitea" }, workId: "#12", title: "Fix what issue 12 says", agent: { budgetUSD: "2.50" } }, { phase: "Running", branch: "fabrica/5566aabb", startedAt: ago(6), usage, faber, pullRequestURL: "https://git.example.com/platform/checkout/pulls/34", attempts: [{ number: 1, podName: "issue-run-1", startedAt: ago(6), usage }], messages: lines.slice(0, 2), conditions: [succeeded("Unknown", "Running", "Attempt 1 runs.")] }, 7);
  const asked = { id: "toolu_01", kind: "Selection", question: "The invoices of 2024 are rounded down too, and customers have paid them.\nWhich ones shall I correct?", options: ["Only those that are still open", "All of them, with a credit note", "None: the new rule holds from today"], askedAt: ago(12), dueAt: ago(-10068) };
  runs.add("demo", "invoices", { ...spec, agent: { budgetUSD: "2.50" }, title: "Correct the invoices that were rounded down" }, { phase: "Escalated", escalation: asked, branch: "fabrica/99aabbcc", startedAt: ago(30), usage, attempts: [{ number: 1, podName: "invoices-run-1", startedAt: ago(30), finishedAt: ago(7), cause: "Escalated", usage }], conditions: [succeeded("Unknown", "Escalated", asked.question)] }, 31);
  runs.add("demo", "long", { ...spec, title: "Migrate every test" }, { phase: "Completed", branch: "fabrica/long", commit: "9f8e7d6c5b4a39281706f5e4d3c2b1a098765432", pullRequestURL: "https://git.example.com/platform/checkout/pulls/35", startedAt: ago(190), finishedAt: ago(61), usage, attempts: [{ number: 1, podName: "long-run-1", startedAt: ago(190), finishedAt: ago(61), cause: "Succeeded" }], conditions: [succeeded("True", "Succeeded", "The work is on the branch fabrica/long.")] }, 192);
  runs.add("demo", "upgrade", { ...spec, title: "Upgrade what is old" }, { phase: "Completed", branch: "fabrica/upgrade", commit: "9f8e7d6c5b4a39281706f5e4d3c2b1a098765432", startedAt: ago(90), finishedAt: ago(61), attempts: [{ number: 1, podName: "upgrade-run-1", startedAt: ago(90), finishedAt: ago(61), cause: "Succeeded" }], messages: lines.slice(0, 2), conditions: [succeeded("True", "Succeeded", "The work is on the branch fabrica/upgrade.")] }, 92);
  runs.add("demo", "docs", { ...spec, title: "Describe every flag", plan: undefined, planRef: { name: "plans", key: "docs.md" } }, { phase: "Failed", branch: "fabrica/77aa88bb", startedAt: ago(300), finishedAt: ago(290), attempts: [{ number: 1, podName: "docs-run-1", startedAt: ago(300), finishedAt: ago(290), cause: "PushRejected" }], messages: lines.slice(0, 2), conditions: [succeeded("False", "PushRejected", "The remote refused the push: protected branch hook declined.")] }, 301);
  runs.add("demo", "next", { ...spec, title: undefined }, { phase: "Queued", conditions: [succeeded("Unknown", "Queued", "Waiting for a place: 2 Runs go first.")] }, 2);
  runs.add("team-b", "old", { ...spec, title: "Try another parser", desiredState: "Cancelled" }, { phase: "Cancelled", startedAt: ago(3000), finishedAt: ago(2990), conditions: [succeeded("False", "Cancelled", "Somebody cancelled it.")] }, 3001);
  runs.remove(runs.add("demo", "last-week", { ...spec, title: "Sort imports" }, { phase: "Completed", branch: "fabrica/imports", commit: "1f8e7d6c5b4a39281706f5e4d3c2b1a098765432", pullRequestURL: "https://git.example.com/platform/checkout/pulls/31", startedAt: ago(9000), finishedAt: ago(8990), usage, attempts: [{ number: 1, podName: "last-week-run-1", startedAt: ago(9000), finishedAt: ago(8990), cause: "Succeeded" }], conditions: [succeeded("True", "Succeeded", "The work is on the branch fabrica/imports.")] }, 9001));
  return runs;
}
