// ^C under a flood of 3 s, in Chromium with xterm.js: how long until it is parsed. Arguments: the gateway's URL, the path
// of a Session's terminal, and the URL of node-pty. Prints both in milliseconds.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const [gateway, path, peer] = process.argv.slice(2);
const FLOOD = 3_000;
const PATIENCE = 60_000;
// The page comes from here and not from an address, so without the last one it may not reach this machine.
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"];

const tests = fileURLToPath(new URL("../../browser/", import.meta.url));
const { chromium } = createRequire(tests)("@playwright/test");
const own = createRequire(import.meta.url);
const files = { "/xterm.js": own.resolve("@xterm/xterm/lib/xterm.js"), "/xterm.css": own.resolve("@xterm/xterm/css/xterm.css") };
const html = '<!doctype html><link rel="stylesheet" href="/xterm.css"><script src="/xterm.js"></script><div id="at"></div>';

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
try {
  const page = await browser.newPage();
  // The page is ours, its origin the gateway's: so its cookie counts.
  for (const [name, file] of Object.entries(files)) await page.route(`${gateway}${name}`, (route) => route.fulfill({ path: file }));
  await page.route(`${gateway}/bench`, (route) => route.fulfill({ contentType: "text/html", body: html }));
  const nodePty = await measure(page, "plain", peer);
  const fabrica = await measure(page, "kterm", path);
  console.log(JSON.stringify({ fabrica, nodePty }));
} finally {
  await browser.close();
}

async function measure(page, protocol, url) {
  await page.goto(`${gateway}/bench`);
  if (protocol === "kterm") {
    const status = await page.evaluate(async () => (await fetch("/api/v1/login", { method: "POST", headers: { "content-type": "application/json" }, body: '{"token":"user"}' })).status);
    if (status !== 200) throw new Error(`the login was answered with ${status}`);
  }
  return page.evaluate(inPage, { protocol, url, flood: FLOOD, patience: PATIENCE });
}

/** Runs in the page. */
async function inPage({ protocol, url, flood, patience }) {
  const terminal = new window.Terminal({ cols: 80, rows: 24, scrollback: 1000 });
  terminal.open(document.getElementById("at"));
  const address = protocol === "kterm" ? `ws://${location.host}${url}` : url;
  const socket = new WebSocket(address, protocol === "kterm" ? "kterm.v1" : []);
  socket.binaryType = "arraybuffer";
  const text = new TextEncoder();
  const shown = new TextDecoder();
  let [typed, acknowledged, recent] = [0, 0, ""];
  let [received, parsed] = [0, 0];
  let [waitsFor, found] = ["", () => {}];

  const frame = (kind, length) => {
    const view = new DataView(new ArrayBuffer(length));
    view.setUint8(0, kind);
    view.setUint16(2, 1, true);
    return view;
  };
  const type = (line) => {
    if (protocol === "plain") return socket.send(line);
    const bytes = text.encode(line);
    const view = frame(0x01, 12 + bytes.length);
    view.setBigUint64(4, BigInt(typed), true);
    new Uint8Array(view.buffer).set(bytes, 12);
    typed += bytes.length;
    socket.send(view.buffer);
  };
  const acknowledge = (end) => {
    if (protocol === "plain" || end < acknowledged + 32768) return;
    acknowledged = end;
    const view = frame(0x03, 12);
    view.setBigUint64(4, BigInt(end), true);
    socket.send(view.buffer);
  };
  const draw = (bytes, end) => {
    received += bytes.length;
    terminal.write(bytes, () => {
      parsed += bytes.length;
      recent = (recent + (typeof bytes === "string" ? bytes : shown.decode(bytes))).slice(-200_000);
      if (waitsFor !== "" && recent.includes(waitsFor)) found();
      recent = recent.slice(-64);
      acknowledge(end);
    });
  };
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") return draw(data, 0);
    const view = new DataView(data);
    const kind = view.getUint8(0);
    if (kind === 0x81) draw(new Uint8Array(data, 12), Number(view.getBigUint64(4, true)) + data.byteLength - 12);
    if (kind === 0x82) draw(new Uint8Array(data, 17), Number(view.getBigUint64(4, true)));
  };
  const sees = (word) =>
    new Promise((resolve, reject) => {
      [waitsFor, found] = [word, resolve];
      setTimeout(() => reject(new Error(`«${word}» was not seen`)), patience);
    });
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("no socket"));
  });
  if (protocol === "kterm") {
    const body = text.encode(JSON.stringify({ client_id: "chromium", visible: true, terms: [{ id: 1, cols: 80, rows: 24 }], caps: {} }));
    const view = frame(0x0c, 4 + body.length);
    view.setUint16(2, 0, true);
    new Uint8Array(view.buffer).set(body, 4);
    socket.send(view.buffer);
  }
  const ready = sees("ready\r\n");
  type("echo rea''dy\n");
  await ready;
  type(`yes ${"a".repeat(75)}\n`);
  await new Promise((resolve) => setTimeout(resolve, flood));
  const gone = sees("^C");
  const [started, backlog] = [performance.now(), received - parsed];
  type("\x03");
  await gone.catch(() => {});
  const milliseconds = performance.now() - started;
  socket.close();
  return { milliseconds, megabytes: received / 1e6, backlog: backlog / 1e6 };
}
