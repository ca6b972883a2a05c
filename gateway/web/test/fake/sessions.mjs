// Sessions of the fake gateway: one in every state, and new ones that walk through a start.

import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import { FakeTerminal } from "./kterm.mjs";

const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();
const condition = (type, status, reason, message) => ({ type, status, reason, message, lastTransitionTime: ago(3) });

export class Sessions extends EventEmitter {
  constructor() {
    super();
    this.setMaxListeners(0);
    this.all = new Map();
    this.version = 1000;
  }

  key = (namespace, name) => `${namespace}/${name}`;

  add(namespace, name, spec, status, minutes = 0) {
    const prompt = `\\[\x1b[32m\\]developer@${name}\\[\x1b[0m\\]:\\[\x1b[34m\\]/workspace/repo\\[\x1b[0m\\]$ `;
    const session = { namespace, name, uid: randomUUID(), createdAt: ago(minutes), generation: 1, resourceVersion: "0", spec, status };
    const pod = { epoch: randomUUID().replaceAll("-", "").slice(0, 16), role: "control", connections: 0, prompt, terminals: new Map([[1, new FakeTerminal(1, prompt)]]) };
    this.all.set(this.key(namespace, name), { session, pod });
    this.changed(session);
    return session;
  }

  changed(session) {
    session.resourceVersion = String((this.version += 1));
    this.emit("session", session);
  }

  get(namespace, name) {
    return this.all.get(this.key(namespace, name));
  }

  remove(namespace, name) {
    const { session } = this.get(namespace, name);
    session.deletionTimestamp = ago(0);
    this.changed(session);
    setTimeout(() => {
      this.all.delete(this.key(namespace, name));
      this.emit("deleted", { kind: "Session", namespace, name, uid: session.uid });
    }, 800);
  }

  ready(session) {
    session.status = { ...session.status, phase: "Running", podIP: "10.0.0.7", startedAt: ago(0), lastActivityAt: ago(0), conditions: [condition("Ready", "True", "Ready", "A terminal can be used.")] };
    this.changed(session);
  }

  stop(session, reason, message) {
    session.status = { phase: "Stopped", stoppedAt: ago(0), conditions: [condition("Ready", "False", reason, message), condition("Suspended", "True", reason, message)] };
    this.changed(session);
  }

  start(session) {
    const messages = [];
    const say = (type, text) => {
      if (messages.at(-1)?.type === "Progress" || messages.at(-1)?.type === "Started") messages.pop();
      messages.push({ seq: messages.length, time: ago(0), type, text });
      session.status = { phase: "Starting", messages: [...messages], conditions: [condition("Ready", "False", "Starting", "The start steps run.")] };
      this.changed(session);
    };
    session.status = { phase: "Pending", conditions: [condition("Ready", "False", "Pending", "Waiting for a node.")] };
    this.changed(session);
    const steps = [["Finished", "Identity and git credentials (2 ms)"]];
    for (let share = 7; share < 100; share += 31) steps.push(["Progress", `Cloning repository, ${share} %`]);
    steps.push(["Finished", "Cloned repository, branch main (1.2 s)"], ["Started", "Opening terminal 1"], ["Finished", "Terminal 1 is open"]);
    steps.forEach(([type, text], at) => setTimeout(() => say(type, text), 500 + at * 350));
    setTimeout(() => this.ready(session), 700 + steps.length * 350);
  }
}

export function exampleSessions() {
  const sessions = new Sessions();
  const repository = { url: "https://git.example.com/platform/checkout.git", branch: "main" };
  const workspace = { size: "10Gi", retain: false };
  sessions.ready(sessions.add("demo", "checkout", { repository, workspace }, {}, 190));
  sessions.ready(sessions.add("demo", "scratch", {}, {}, 44));
  sessions.add("demo", "billing-api", { repository: { url: "https://git.example.com/platform/billing-api.git", branch: "feature/invoice-rounding" }, workspace }, { phase: "Starting", messages: [{ seq: 1, time: ago(0.2), type: "Finished", text: "Identity and git credentials (2 ms)" }, { seq: 2, time: ago(0.1), type: "Progress", text: "Cloning repository, 43 %" }], conditions: [condition("Ready", "False", "Starting", "The start steps run.")] }, 1);
  sessions.add("demo", "search-index", { image: "registry.example.com/team/search:1.4", workspace }, { phase: "Failed", conditions: [condition("Ready", "False", "ImagePullFailed", 'The image registry.example.com/team/search:1.4 cannot be pulled: manifest unknown.')] }, 65);
  sessions.add("team-b", "gpu-notebook", { workspace: { size: "200Gi", retain: true } }, { phase: "Pending", conditions: [condition("Ready", "False", "Unschedulable", "No node has room: 0/3 nodes are available: 3 Insufficient cpu.")] }, 12);
  const idle = sessions.add("team-b", "docs", { repository: { url: "https://git.example.com/docs/handbook.git" }, workspace, idleTimeoutSeconds: 1800 }, {}, 4000);
  sessions.stop(idle, "IdleTimeout", "Stopped after 30 minutes without activity.");
  const suspended = sessions.add("demo", "legacy-migration", { repository, workspace, operatingMode: "Suspended" }, {}, 9000);
  sessions.stop(suspended, "Suspended", "spec.operatingMode is Suspended.");
  return sessions;
}
