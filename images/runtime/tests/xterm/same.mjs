// Whether several ways lead to one state. Arguments: the folder of @xterm/headless, and a file: columns, rows, and then streams,
// each led by its length. All numbers are u32, little-endian.
import { readFileSync } from "node:fs";
import { emulator } from "./state.mjs";

const [modules, file] = process.argv.slice(2);
const data = readFileSync(file);
const [cols, rows] = [data.readUInt32LE(0), data.readUInt32LE(4)];
const { terminal, state } = emulator(modules, cols, rows);
const states = [];
for (let at = 8; at < data.length; ) {
  const end = at + 4 + data.readUInt32LE(at);
  const core = terminal();
  core.writeSync(data.subarray(at + 4, end));
  states.push(state(core));
  at = end;
}
const [wanted, ...others] = states;
let same = others.length > 0;
others.forEach((found, way) => {
  wanted.forEach((part, index) => {
    if (part === found[index]) return;
    same = false;
    console.log(`way ${way + 1}, part ${index}\n  wanted ${part}\n  found  ${found[index]}`);
  });
});
process.exit(same ? 0 : 1);
