// A fake runtime: `kterm.v1` as a script plays it, for what a real shell cannot be brought to do at will. It lives in the
// test's process, so it remembers while the page is reloaded. The page, its emulator and its sockets are the real ones.

import type { Page, WebSocketRoute } from "@playwright/test";

const Client = { input: 0x01, resize: 0x02, open: 0x04, attach: 0x05, detach: 0x06, close: 0x07, ping: 0x08, hello: 0x0c, title: 0x0d };
const Server = { output: 0x81, snapshot: 0x82, inputAck: 0x83, resized: 0x84, exit: 0x85, pong: 0x86, terms: 0x87, error: 0x88, welcome: 0x89, activity: 0x8a };
const NOTHING = 0xffff_ffff_ffff_ffffn;
export const LIMIT = 16;

interface Terminal {
  id: number;
  key?: string;
  type: "system" | "agent";
  title: string;
  alive: boolean;
  size: Size;
  output: Buffer;
  /** What reached the program, by the page that typed it. */
  typed: Buffer;
  taken: Map<string, number>;
}

interface Size {
  cols: number;
  rows: number;
}

interface Client {
  socket: WebSocketRoute;
  /** Counts the sockets. */
  number: number;
  id: string;
  attached: Set<number>;
}

export class FakeTerminals {
  role: "control" | "view" = "control";
  epoch = "a1";
  /** Attaches, as the page asked for them: which, and from where. */
  readonly attaches: { terminal: number; have: number | undefined; role: number }[] = [];
  /** All sockets that the page has opened. */
  sockets = 0;
  /** How long an answer to a ping takes, in milliseconds. */
  delay = 0;
  readonly terminals = new Map<number, Terminal>();
  readonly #clients = new Set<Client>();
  #refusal: { code: number; reason: string } | undefined;
  #last = 0;

  /** Answers every terminal of the page. The first one shows these words. */
  static async serve(page: Page, first = "developer@both:~/repo$ "): Promise<FakeTerminals> {
    const fake = new FakeTerminals();
    fake.add("bash", first);
    await page.routeWebSocket(/\/terminal$/, (socket) => fake.#accept(socket));
    return fake;
  }

  add(title: string, output: string, part: { type?: "agent"; key?: string } = {}): number {
    const id = (this.#last += 1);
    this.terminals.set(id, { id, type: "system", title, alive: true, size: { cols: 80, rows: 24 }, output: Buffer.from(output), typed: Buffer.alloc(0), taken: new Map(), ...part });
    this.#tell();
    return id;
  }

  get live(): number {
    return this.#clients.size;
  }

  /** Terminals that somebody looks at. */
  get attached(): number[] {
    return [...this.#clients].flatMap(({ attached }) => [...attached]).toSorted();
  }

  typed(id: number): string {
    return this.#of(id).typed.toString();
  }

  print(id: number, text: string, bell = false): void {
    const terminal = this.#of(id);
    const at = terminal.output.length;
    terminal.output = Buffer.concat([terminal.output, Buffer.from(text)]);
    for (const client of this.#clients) {
      if (client.attached.has(id)) client.socket.send(frame(Server.output, id, [at], Buffer.from(text)));
      else client.socket.send(flagged(frame(Server.activity, id, [terminal.output.length]), bell ? 1 : 0));
    }
  }

  exit(id: number, code: number): void {
    const terminal = this.#of(id);
    terminal.alive = false;
    for (const { socket, attached } of this.#clients) if (attached.has(id)) socket.send(this.#exit(terminal, code));
    this.#tell();
  }

  /** Another window takes sole control. */
  takeOver(id: number): void {
    for (const { socket } of this.#clients) socket.send(error(id, Client.attach, 10, "Another window types here alone."));
  }

  /** Another pod: nothing of before is there. */
  restart(epoch: string, output: string): void {
    this.epoch = epoch;
    this.terminals.clear();
    this.#last = 0;
    this.add("bash", output);
  }

  /** Takes every line down; nobody gets through until it is mended. */
  cut(code = 1001, next = { code: 4503, reason: "ra=60000 not ready" }): void {
    this.#refusal = next;
    for (const { socket } of this.#clients) void socket.close({ code, reason: "" });
    this.#clients.clear();
  }

  mend(): void {
    this.#refusal = undefined;
  }

  #of(id: number): Terminal {
    const found = this.terminals.get(id);
    if (found === undefined) throw new Error(`there is no terminal ${id}`);
    return found;
  }

  #accept(socket: WebSocketRoute): void {
    this.sockets += 1;
    if (this.#refusal !== undefined) return void socket.close(this.#refusal);
    const client: Client = { socket, number: this.sockets, id: "", attached: new Set() };
    this.#clients.add(client);
    socket.onMessage((data) => typeof data !== "string" && this.#hear(client, data));
    socket.onClose(() => void this.#clients.delete(client));
  }

  #hear(client: Client, data: Buffer): void {
    const id = data.readUInt16LE(2);
    const terminal = this.terminals.get(id);
    switch (data.readUInt8(0)) {
      case Client.hello:
        return this.#hello(client, JSON.parse(data.subarray(4).toString()) as Hello);
      case Client.input:
        return terminal === undefined ? undefined : this.#input(client, terminal, Number(data.readBigUInt64LE(4)), data.subarray(12));
      case Client.attach: {
        const have = data.readBigUInt64LE(4);
        if (terminal !== undefined) this.#resize(client, terminal, sizeAt(data, 24));
        return this.#attach(client, id, have === NOTHING ? undefined : Number(have), data.readUInt8(28));
      }
      case Client.detach:
        return void client.attached.delete(id);
      case Client.open:
        return this.#open(client, data.subarray(4, 20).reverse().toString("hex"));
      case Client.close:
        return terminal === undefined ? undefined : this.#close(terminal);
      case Client.resize:
        return terminal === undefined ? undefined : this.#resize(client, terminal, sizeAt(data, 4));
      case Client.title:
        if (terminal !== undefined) terminal.title = data.subarray(4).toString();
        return this.#tell();
      case Client.ping: {
        const pong = frame(Server.pong, 0, [0, 0, 0]);
        data.copy(pong, 4, 4, 12);
        setTimeout(() => this.#clients.has(client) && client.socket.send(pong), this.delay);
      }
    }
  }

  #hello(client: Client, hello: Hello): void {
    client.id = hello.client_id;
    const limits = { max_frame: 65_536, window: 262_144, terminals: LIMIT, clients: 16 };
    client.socket.send(json(Server.welcome, { epoch: this.epoch, conn_id: client.number, role: this.role, limits, commands: true, terms: this.#list(client.id) }));
    for (const { id, have_off, cols, rows } of hello.terms) {
      const terminal = this.terminals.get(id);
      const have = hello.epoch === this.epoch ? have_off : undefined;
      // Who comes back takes no size by that.
      if (terminal !== undefined && have === undefined) this.#resize(client, terminal, { cols, rows });
      this.#attach(client, id, have, 0);
    }
  }

  #attach(client: Client, id: number, have: number | undefined, role: number): void {
    this.attaches.push({ terminal: id, have, role });
    const terminal = this.terminals.get(id);
    if (terminal === undefined) return client.socket.send(error(id, Client.attach, 1, "no such terminal"));
    client.attached.add(id);
    if (have === undefined) {
      const snapshot = frame(Server.snapshot, id, [0], Buffer.alloc(5), Buffer.from("\x1bc"));
      snapshot.writeUInt16LE(terminal.size.cols, 12);
      snapshot.writeUInt16LE(terminal.size.rows, 14);
      client.socket.send(snapshot);
    }
    const missing = terminal.output.subarray(have ?? 0);
    if (missing.length > 0) client.socket.send(frame(Server.output, id, [have ?? 0], missing));
    if (!terminal.alive) client.socket.send(this.#exit(terminal, 0));
  }

  #input(client: Client, terminal: Terminal, offset: number, bytes: Buffer): void {
    const taken = terminal.taken.get(client.id) ?? 0;
    const fresh = bytes.subarray(taken - offset);
    terminal.typed = Buffer.concat([terminal.typed, fresh]);
    terminal.taken.set(client.id, taken + fresh.length);
    client.socket.send(frame(Server.inputAck, terminal.id, [taken + fresh.length]));
  }

  #open(client: Client, key: string): void {
    if (this.terminals.size >= LIMIT) return client.socket.send(error(0, Client.open, 3, "A session has at most 16 terminals; close one first."));
    this.add("bash", "developer@both:~/repo$ ", { key });
  }

  /** The program is ended; only a terminal whose program has ended is forgotten. */
  #close({ id, alive }: Terminal): void {
    if (alive) return this.exit(id, 0);
    this.terminals.delete(id);
    this.#tell();
  }

  #resize({ number }: Client, terminal: Terminal, size: Size): void {
    if (terminal.size.cols === size.cols && terminal.size.rows === size.rows) return;
    terminal.size = size;
    const resized = frame(Server.resized, terminal.id, [terminal.output.length], Buffer.alloc(8));
    resized.writeUInt16LE(size.cols, 12);
    resized.writeUInt16LE(size.rows, 14);
    resized.writeUInt32LE(number, 16);
    for (const { socket, attached } of this.#clients) if (attached.has(terminal.id)) socket.send(resized);
  }

  #exit({ id, output }: Terminal, code: number): Buffer {
    const exit = frame(Server.exit, id, [output.length], Buffer.alloc(5));
    exit.writeInt32LE(code, 12);
    return exit;
  }

  #list(clientId?: string): object[] {
    return [...this.terminals.values()].map(({ id, key, type, title, alive, size, output, taken }) => ({
      id,
      key,
      type,
      title,
      alive,
      cwd: "/workspace/repo",
      ...size,
      head: output.length,
      tail: 0,
      in_off: clientId === undefined ? undefined : (taken.get(clientId) ?? 0),
    }));
  }

  #tell(): void {
    for (const { socket } of this.#clients) socket.send(json(Server.terms, { terms: this.#list() }));
  }
}

interface Hello {
  client_id: string;
  epoch?: string;
  terms: ({ id: number; have_off?: number } & Size)[];
}

/** A frame whose body is these offsets, then these bytes. */
function frame(type: number, terminal: number, offsets: number[], ...bytes: Buffer[]): Buffer {
  const head = Buffer.alloc(4 + 8 * offsets.length);
  head.writeUInt8(type, 0);
  head.writeUInt16LE(terminal, 2);
  offsets.forEach((offset, at) => head.writeBigUInt64LE(BigInt(offset), 4 + 8 * at));
  return Buffer.concat([head, ...bytes]);
}

function sizeAt(data: Buffer, at: number): Size {
  return { cols: data.readUInt16LE(at), rows: data.readUInt16LE(at + 2) };
}

function flagged(bytes: Buffer, flags: number): Buffer {
  bytes.writeUInt8(flags, 1);
  return bytes;
}

function json(type: number, value: unknown): Buffer {
  return frame(type, 0, [], Buffer.from(JSON.stringify(value)));
}

function error(terminal: number, reference: number, code: number, text: string): Buffer {
  const codes = Buffer.alloc(6);
  codes.writeUInt32LE(reference, 0);
  codes.writeUInt16LE(code, 4);
  return frame(Server.error, terminal, [], codes, Buffer.from(text));
}
