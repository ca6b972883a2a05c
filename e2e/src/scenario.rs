//! What the scripted model is to say, for tests that need a scenario of their own.

use serde_json::{Value, json};

/// An answer that says something.
pub fn said(text: &str) -> Value {
    json!({"text": text})
}

/// An answer that runs a command.
pub fn command(command: &str) -> Value {
    json!({"tools": [{"name": "Bash", "input": {"command": command}}]})
}

/// An answer that calls a tool of ours, as `faber__set_phase`.
pub fn tool(name: &str, input: &Value) -> Value {
    json!({"tools": [{"name": format!("mcp__fractary-{name}"), "input": input}]})
}

/// An answer that says where the workflow is.
pub fn phase(phase: &str, status: &str) -> Value {
    tool("faber__set_phase", &json!({"phase": phase, "status": status}))
}

/// All phases, with this as what is built, and the pull request.
pub fn workflow(build: &[Value]) -> Vec<Value> {
    let before =
        [phase("frame", "started"), phase("frame", "completed"), phase("architect", "skipped")];
    let after = [
        phase("build", "completed"),
        phase("evaluate", "started"),
        phase("evaluate", "completed"),
        phase("release", "started"),
        tool("faber__complete", &json!({"title": "Oil the door", "summary": "It is quiet."})),
        said("The pull request is open."),
    ];
    let begun = [phase("build", "started")];
    before.iter().chain(&begun).chain(build).chain(&after).cloned().collect()
}

/// What makes the model say a secret, in words that do not hold it.
pub fn given_away(secret: &str) -> String {
    format!("@backwards({})@", secret.chars().rev().collect::<String>())
}

/// Words that make the model answer so: of a plan, a message, or a work item.
pub fn words(steps: &[Value]) -> String {
    format!("Play this.\n\n```scenario\n{}\n```\n", Value::from(steps))
}
