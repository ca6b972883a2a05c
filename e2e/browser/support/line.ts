// A line to the gateway that can be cut: a TCP relay in front of FABRICA_URL.

import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { environment } from "./environment";

export class Line {
  readonly #sockets = new Set<Socket>();
  #whole = true;

  private constructor(private readonly server: Server) {}

  static async open(): Promise<Line> {
    const { hostname, port } = new URL(environment().url);
    const server = createServer();
    const line = new Line(server);
    server.on("connection", (near) => {
      if (!line.#whole) return void near.destroy();
      const far = connect({ host: hostname, port: Number(port || 80) });
      for (const socket of [near, far]) {
        line.#sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => {
          line.#sockets.delete(socket);
          (socket === near ? far : near).destroy();
        });
      }
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return line;
  }

  get url(): string {
    return `http://localhost:${(this.server.address() as AddressInfo).port}`;
  }

  cut(): void {
    this.#whole = false;
    this.#sockets.forEach((socket) => socket.destroy());
  }

  mend(): void {
    this.#whole = true;
  }

  close(): void {
    this.cut();
    this.server.close();
  }
}
