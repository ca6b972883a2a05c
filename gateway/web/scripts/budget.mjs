// Fails the build when the script that loads before the terminal is needed grows above its budget.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET = 250 * 1000;
const root = new URL("../dist/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", root), "utf8"));

const seen = new Set();
function size(key) {
  if (seen.has(key)) return 0;
  seen.add(key);
  const { file, imports = [] } = manifest[key];
  const own = gzipSync(readFileSync(new URL(file, root))).length;
  return imports.reduce((sum, each) => sum + size(each), own);
}

const total = size("index.html");
const words = `initial script: ${(total / 1000).toFixed(1)} kB gzip of ${BUDGET / 1000} kB`;
if (total > BUDGET) {
  console.error(`${words}: over budget`);
  process.exit(1);
}
console.log(words);
