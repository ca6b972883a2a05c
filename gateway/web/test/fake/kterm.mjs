// A stand-in for a session's runtime: kterm.v1 over a bash that `script` gives a terminal of fixed size. It is for
// working on the page without a cluster; the real runtime is tested end to end.

import { spawn } from "node:child_process";

function frame(type, terminal, size) {
  const bytes = Buffer.alloc(4 + size);
  bytes.writeUInt8(type, 0);
  bytes.writeUInt16LE(terminal, 2);
  return bytes;
}

function json(type, value) {
  const body = Buffer.from(JSON.stringify(value));
  return Buffer.concat([frame(type, 0, 0), body]);
}

export class FakeTerminal {
  constructor(id, prompt) {
    this.id = id;
    this.prompt = prompt;
    this.output = Buffer.alloc(0);
    this.inputs = new Map();
    this.sockets = new Set();
    this.title = "bash";
    this.alive = true;
    this.code = 0;
    this.cols = 80;
    this.rows = 24;
  }

  /** The shell starts when somebody first looks. */
  start() {
    if (this.shell !== undefined) return;
    const env = { PATH: process.env.PATH, HOME: "/tmp", TERM: "xterm-256color", PS1: this.prompt, LANG: "C.UTF-8" };
    this.shell = spawn("script", ["--quiet", "--flush", "--return", "--command", "stty cols 80 rows 24; exec bash --norc", "/dev/null"], { env, cwd: "/tmp" });
    this.shell.stdout.on("data", (bytes) => this.print(bytes));
    this.shell.on("close", (code) => {
      this.alive = false;
      this.code = code ?? 0;
      for (const socket of this.sockets) this.sendExit(socket);
    });
  }

  info(clientId) {
    const { id, alive, cols, rows, key, title } = this;
    return { id, key, type: "system", title, cwd: "/workspace/repo", alive, cols, rows, head: this.output.length, tail: 0, in_off: this.inputs.get(clientId) ?? 0 };
  }

  print(bytes) {
    const at = this.output.length;
    this.output = Buffer.concat([this.output, bytes]);
    for (const socket of this.sockets) this.send(socket, at);
  }

  send(socket, from) {
    for (let at = from; at < this.output.length; at += 16384) {
      const piece = this.output.subarray(at, at + 16384);
      const head = frame(0x81, this.id, 8);
      head.writeBigUInt64LE(BigInt(at), 4);
      socket.send(Buffer.concat([head, piece]));
    }
  }

  attach(socket, have) {
    this.start();
    if (have === undefined) {
      const head = frame(0x82, this.id, 13);
      head.writeUInt16LE(this.cols, 12);
      head.writeUInt16LE(this.rows, 14);
      socket.send(head);
    }
    this.send(socket, have ?? 0);
    this.sockets.add(socket);
    if (!this.alive) this.sendExit(socket);
  }

  sendExit(socket) {
    const exit = frame(0x85, this.id, 13);
    exit.writeBigUInt64LE(BigInt(this.output.length), 4);
    exit.writeInt32LE(this.code, 12);
    socket.send(exit);
  }

  input(socket, clientId, offset, bytes) {
    const seen = this.inputs.get(clientId) ?? 0;
    const fresh = bytes.subarray(Math.max(0, seen - offset));
    this.inputs.set(clientId, Math.max(seen, offset + bytes.length));
    const ack = frame(0x83, this.id, 8);
    ack.writeBigUInt64LE(BigInt(this.inputs.get(clientId)), 4);
    socket.send(ack);
    this.shell.stdin.write(fresh);
  }
}

/** The pod's end of one socket. */
export function serveTerminal(socket, pod) {
  let clientId = "";
  const tell = () => socket.send(json(0x87, { terms: [...pod.terminals.values()].map((each) => each.info(clientId)) }));
  socket.on("message", (data, isBinary) => {
    if (!isBinary) return socket.close(1003, "text frame");
    const type = data.readUInt8(0);
    const terminal = pod.terminals.get(data.readUInt16LE(2));
    if (type === 0x0c) {
      const hello = JSON.parse(data.subarray(4).toString());
      clientId = hello.client_id;
      const terms = [...pod.terminals.values()];
      socket.send(json(0x89, { epoch: pod.epoch, conn_id: (pod.connections += 1), role: pod.role, commands: false, limits: { max_frame: 65536, window: 262144, terminals: 16, clients: 16 }, terms: terms.map((each) => each.info(clientId)) }));
      for (const { id, have_off: have } of hello.terms) pod.terminals.get(id)?.attach(socket, hello.epoch === pod.epoch ? have : undefined);
    } else if (type === 0x01) {
      terminal?.input(socket, clientId, Number(data.readBigUInt64LE(4)), data.subarray(12));
    } else if (type === 0x05) {
      const have = data.readBigUInt64LE(4);
      terminal?.attach(socket, have === 0xffff_ffff_ffff_ffffn ? undefined : Number(have));
    } else if (type === 0x04) {
      const key = data.subarray(4, 20).reverse().toString("hex");
      const id = Math.max(0, ...pod.terminals.keys()) + 1;
      const opened = new FakeTerminal(id, pod.prompt);
      opened.key = key;
      pod.terminals.set(id, opened);
      tell();
    } else if (type === 0x06) {
      terminal?.sockets.delete(socket);
    } else if (type === 0x07) {
      terminal?.shell?.kill();
      pod.terminals.delete(terminal?.id);
      tell();
    } else if (type === 0x0d && terminal !== undefined) {
      terminal.title = data.subarray(4).toString() || "bash";
      tell();
    } else if (type === 0x08) {
      const pong = frame(0x86, 0, 24);
      data.copy(pong, 4, 4, 12);
      socket.send(pong);
    }
  });
  socket.on("close", () => pod.terminals.forEach((each) => each.sockets.delete(socket)));
}
