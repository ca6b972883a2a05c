// 500 pages lose their sockets at the same moment: the page's own state machine of a connection, in simulated time and
// with random numbers that are the same in every run. Prints, for each time that the server stays away, how many
// attempts came in the worst 100 ms behind the first wave.
import { build } from "esbuild";
import { fileURLToPath } from "node:url";

const CLIENTS = 500;
const WINDOW = 100;
/** First attempts are spread over the first 100 ms; a second wave is what comes behind that. */
const FIRST_WAVE = 100;
const ROUND_TRIP = 20;
const LIVED = 60_000;
const DOWN_SECONDS = [0, 0.5, 2, 10, 60];
/** Until the last client has to be back. */
const PATIENCE = 300_000;

const source = fileURLToPath(new URL("../../../gateway/web/src/link/link.ts", import.meta.url));
const built = await build({ entryPoints: [source], bundle: true, format: "esm", write: false, logLevel: "error" });
const { Link } = await import(`data:text/javascript;base64,${Buffer.from(built.outputFiles[0].text).toString("base64")}`);
console.log(JSON.stringify(DOWN_SECONDS.map((seconds) => storm(seconds * 1000))));

function storm(down) {
  const attempts = [];
  let last = 0;
  let most = 0;
  for (let client = 0; client < CLIENTS; client++) {
    const { tries, back } = page(client, down);
    attempts.push(...tries);
    last = Math.max(last, back);
    most = Math.max(most, tries.length);
  }
  const worst = crowd(attempts.filter((at) => at > FIRST_WAVE));
  return { downSeconds: down / 1000, most: (100 * worst.count) / CLIENTS, mostAtSeconds: worst.at / 1000, lastSeconds: last / 1000, attempts: most };
}

/** When one page tried, in milliseconds behind the cut, and when it was back. */
function page(seed, down) {
  const random = generator(seed + 1);
  const events = [];
  const later = (at, run) => events.push({ at, run });
  const tries = [];
  let now = -LIVED;
  let back;
  const speaker = {
    greet: () => later(now + ROUND_TRIP, () => { back = now; link.welcomed(now); }),
    ping: () => later(now + ROUND_TRIP, () => link.heard()),
    lost: () => {},
    forbidden: "",
  };
  const perform = (effect) => {
    if (effect.do !== "connect") return;
    if (now > 0) tries.push(now);
    const answer = now >= 0 && now < down ? { type: "closed", code: 1006, reason: "" } : { type: "opened" };
    later(now + ROUND_TRIP, () => link.handle(answer, now));
  };
  const link = new Link({ visible: true, online: true, session: "ready", random }, speaker, perform);
  link.handle({ type: "start" }, now);
  later(0, () => { back = undefined; link.handle({ type: "closed", code: 1006, reason: "" }, 0); });
  while (!(now > 0 && back > 0)) {
    const due = Math.min(...link.deadlines().filter((at) => at !== undefined));
    events.sort((one, other) => one.at - other.at);
    if (events.length > 0 && events[0].at <= due) {
      const { at, run } = events.shift();
      now = at;
      run();
    } else {
      now = due;
      link.handle({ type: "tick" }, now);
    }
    if (!(now < PATIENCE)) throw new Error(`client ${seed} is not back after ${PATIENCE} ms`);
  }
  return { tries, back };
}

/** The most that fell into any window. */
function crowd(moments) {
  const sorted = moments.sort((one, other) => one - other);
  let [count, at, first] = [0, 0, 0];
  sorted.forEach((moment, index) => {
    while (moment - sorted[first] >= WINDOW) first += 1;
    if (index - first + 1 > count) [count, at] = [index - first + 1, sorted[first]];
  });
  return { count, at };
}

/** mulberry32. */
function generator(seed) {
  let state = seed * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
