// The shape of the demo of xterm.js, and of most that embed it: what the PTY says is sent, what comes is written.
// Argument: the port.
import { createServer } from "node:http";
import { spawn } from "node-pty";
import { WebSocketServer } from "ws";

const server = createServer((_, response) => response.end("ok"));
new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (socket) => {
  const shell = spawn("bash", [], { name: "xterm-256color", cols: 80, rows: 24, cwd: process.cwd(), env: process.env });
  shell.onData((data) => socket.send(data));
  shell.onExit(() => socket.close());
  socket.on("message", (data) => shell.write(data.toString()));
  socket.on("close", () => shell.kill());
});
server.listen(Number(process.argv[2]), "127.0.0.1");
