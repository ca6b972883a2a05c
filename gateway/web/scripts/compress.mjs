// Leaves each text file of dist/ compressed beside itself: the gateway serves what the browser takes best.

import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const root = new URL("../dist/", import.meta.url);
const TEXT = /\.(?:js|css|html|svg)$/;
/** Below this a compressed file is not worth its own entry. */
const WORTH = 1024;

// Vite's manifest was for the budget; nobody needs to fetch it.
rmSync(new URL(".vite/", root), { recursive: true });

for (const name of readdirSync(root, { recursive: true })) {
  if (!TEXT.test(name)) continue;
  const file = new URL(name, root);
  const content = readFileSync(file);
  if (content.length < WORTH) continue;
  writeFileSync(new URL(`${name}.gz`, root), gzipSync(content, { level: 9 }));
  writeFileSync(new URL(`${name}.br`, root), brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
}
