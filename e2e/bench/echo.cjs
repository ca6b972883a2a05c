#!/usr/bin/env node
// The agent's program of a pod of the bench: says back what it hears and when it read it, in the words of the real one.
// local.rs has the same for a runtime on this machine.

const { performance } = require("node:perf_hooks");
const readline = require("node:readline");

/** The wall clock in microseconds. */
const now = () => Math.round((performance.timeOrigin + performance.now()) * 1_000);

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const readAt = now();
  const heard = JSON.parse(line);
  process.stdout.write(answer(heard, readAt).map((each) => `${JSON.stringify(each)}\n`).join(""));
});

function answer(heard, readAt) {
  if (heard.type === "control_request") {
    return [{ type: "control_response", response: { subtype: "success", request_id: heard.request_id, response: {} } }];
  }
  const id = heard.uuid;
  const text = `${heard.message.content} at ${readAt}`;
  const state = (state) => ({ type: "command_lifecycle", command_uuid: id, state });
  return [
    state("started"),
    { type: "system", subtype: "init", mcp_servers: [{ name: "fractary-faber", status: "connected" }] },
    { type: "assistant", parent_tool_use_id: null, message: { id, content: [{ type: "text", text }] } },
    { type: "result", is_error: false, result: text },
    state("completed"),
    { type: "system", subtype: "session_state_changed", state: "idle" },
  ];
}
