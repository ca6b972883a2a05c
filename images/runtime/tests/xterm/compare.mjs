// Holds snapshots against the emulator that our pages use. Arguments: the folder of @xterm/headless, and a file of cases
// made by screens.rs: columns, rows, a stream, and for each of its offsets a snapshot. All numbers are u32, little-endian.
import { readFileSync } from "node:fs";
import { emulator } from "./state.mjs";

const [modules, file] = process.argv.slice(2);
const LOOK_AHEAD = 24;

const data = readFileSync(file);
let at = 0;
const number = () => (at += 4, data.readUInt32LE(at - 4));
const bytes = () => { const length = number(); at += length; return data.subarray(at - length, at); };
const [cols, rows, stream] = [number(), number(), bytes()];

const { terminal, state } = emulator(modules, cols, rows);
const original = terminal();
const again = terminal();
let failures = 0;
const past = [];
// xterm.js loses a character whose bytes come one by one when one of them is 0x80, so it gets whole ones.
const whole = (offset) => offset >= stream.length || (stream[offset] & 0xc0) !== 0x80;
let fed = 0;
for (let offset = 0; offset <= stream.length; offset++) {
  if (whole(offset)) original.writeSync(stream.subarray(fed, (fed = offset)));
  past[offset % (LOOK_AHEAD + 1)] = state(original);
  if (offset >= LOOK_AHEAD) check(offset - LOOK_AHEAD, past[(offset + 1) % (LOOK_AHEAD + 1)], past[offset % (LOOK_AHEAD + 1)]);
}
if (failures > 0) console.log(`${failures} differences in ${stream.length} places`);
process.exit(failures > 0 ? 1 : 0);

// A snapshot is the state at its offset, and what follows leads to the state that followed.
function check(offset, now, later) {
  const snapshot = bytes();
  if (!whole(offset) || !whole(offset + LOOK_AHEAD)) return;
  again.writeSync(snapshot);
  compare(offset, "at", now, state(again), snapshot);
  again.writeSync(stream.subarray(offset, offset + LOOK_AHEAD));
  compare(offset, `${LOOK_AHEAD} bytes behind`, later, state(again), snapshot);
}

function compare(offset, where, wanted, found, snapshot) {
  const different = wanted.findIndex((line, index) => line !== found[index]);
  if (different < 0 || failures++ > 3) return;
  console.log(`${where} ${offset}, after ${JSON.stringify(stream.subarray(Math.max(0, offset - 40), offset).toString())}`);
  console.log(`  part ${different}\n  wanted ${wanted[different]}\n  found  ${found[different]}`);
  console.log(`  snapshot ${JSON.stringify(snapshot.toString())}`);
}
