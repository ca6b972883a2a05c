// What runs of the fake gateway told: the archive's messages, made up from the run.

const TOOLS = [
  ["Bash", "npm test -- rounding", "FAIL src/invoice.test.ts\n  expected 10.01, got 10.00\n\nTests: 1 failed, 41 passed"],
  ["Read", "src/invoice.ts", "export function sum(lines) {\n  return lines.reduce((total, line) => total + Math.floor(line.price * 100) / 100, 0);\n}"],
  ["Edit", "src/invoice.ts: Math.floor → Math.round", "The file was updated."],
];
const CHANGES = { kind: "changes", files: [{ path: "src/invoice.ts", added: 4, removed: 2, binary: false }, { path: "src/invoice.test.ts", added: 31, removed: 0, binary: false }, { path: "docs/rounding.png", added: 0, removed: 0, binary: true }], more: 0, added: 35, removed: 2 };

/** The messages of a run whose work takes so many tool calls. */
export function journalOf(run, calls = 3) {
  const messages = [];
  const from = Date.parse(run.createdAt);
  const tell = (type, message, metadata) => {
    const seq = messages.length + 1;
    messages.push({ id: `${run.uid}-${seq}`, sessionId: run.uid, seq, type, content: { message, metadata }, createdAt: new Date(from + seq * 900).toISOString() });
  };
  const step = (step, kind, text, durationMs) => tell(kind === "Failed" ? "error" : "progress", text, { kind: "step", step, type: kind, durationMs });
  step("clone", "Progress", "Cloning repository, 43 %");
  step("clone", "Finished", "Cloned repository, branch main (1.2 s)", 1200);
  tell("progress", "Build Started.", { kind: "phase", phase: "build", status: "started" });
  tell("progress", "I look at the failing test first, then at the function that sums the lines up.", { kind: "said" });
  for (let call = 0; call < calls; call += 1) {
    const [name, input, output] = TOOLS[call % TOOLS.length];
    tell("progress", input, { kind: "toolStarted", id: `call-${call}`, name });
    tell("progress", output, { kind: "toolFinished", id: `call-${call}`, failed: name === "Bash" });
  }
  tell("progress", "The list of things to do", { kind: "todos", items: [] });
  const question = run.status?.escalation;
  if (question !== undefined) tell("escalation", question.question, { kind: "question", id: question.id, questionKind: question.kind[0].toLowerCase() + question.kind.slice(1), options: question.options });
  if (run.status?.phase !== "Completed") return messages;
  tell("progress", "What is pushed", CHANGES);
  step("push", "Finished", "Pushed the branch", 800);
  tell("completion", "The work is on the branch.", { kind: "ended", outcome: "Completed", reason: "Succeeded" });
  return messages;
}

export class Journals {
  #all = new Map();

  of(run) {
    if (!this.#all.has(run.uid)) this.#all.set(run.uid, journalOf(run, run.name === "long" ? 2500 : 3));
    return this.#all.get(run.uid);
  }

  /** A page, by the query's cursor. */
  page(run, query) {
    const after = Number(query.get("after") ?? 0);
    const unread = query.get("unread") === "true";
    return this.of(run).filter(({ seq, readAt }) => seq > after && !(unread && readAt !== undefined)).slice(0, Number(query.get("limit") ?? 100));
  }

  /** The same, waiting for the first of them as long as the query says. */
  async wait(run, query, request) {
    const until = Date.now() + Number(query.get("wait") ?? 0) * 1000;
    let page = this.page(run, query);
    while (page.length === 0 && Date.now() < until && !request.destroyed) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      page = this.page(run, query);
    }
    return page;
  }

  read(run, through) {
    for (const message of this.of(run)) if (message.seq <= through) message.readAt ??= new Date().toISOString();
  }

  answered(run, { id, text, answeredBy }) {
    const all = this.of(run);
    const seq = all.length + 1;
    all.push({ id: `${run.uid}-${seq}`, sessionId: run.uid, seq, type: "progress", content: { message: text, metadata: { kind: "answered", id, answeredBy } }, createdAt: new Date().toISOString() });
  }
}
