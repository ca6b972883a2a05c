//! What the model says, as a list of steps. The conversation itself says which scenario it is and how far it has come,
//! so nothing is remembered here and a resumed conversation goes on where it was.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

/// Scenarios that need no plan of their own.
const KNOWN: &str = include_str!("../scenarios.json");
/// Begins a line that names a scenario.
const MARKER: &str = "scenario:";
/// Opens a block that is a scenario: steps as a JSON list.
const FENCE: &str = "```scenario";
/// Opens and closes what stands backwards in a scenario and is said forwards: a plan may not hold a secret that its model is
/// to give away.
const BACKWARDS: (&str, &str) = ("@backwards(", ")@");

/// One answer of the model.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Step {
    pub text: Option<String>,
    pub tools: Vec<Tool>,
    /// An error of the service in its place, with this status.
    pub error: Option<u16>,
    pub message: Option<String>,
    /// With an error: when to come back, in seconds.
    pub retry_after: Option<u64>,
    /// An error, a cut or a hang happens so often, then the next step comes. Unset: every time.
    pub times: Option<u32>,
    /// The stream breaks off in the middle of the text.
    pub cut: bool,
    /// The stream begins and then says nothing more.
    pub hang: bool,
    /// Before the answer, in milliseconds.
    pub wait: u64,
}

/// A tool that the model calls for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    pub name: String,
    pub input: Value,
}

/// A scenario, and how many answers the model has given in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pub steps: Vec<Step>,
    pub answered: usize,
}

/// Where a conversation stands.
pub fn find(messages: &[Value]) -> Place {
    let mut place =
        Place { steps: vec![said("This conversation names no scenario.")], answered: 0 };
    for message in messages {
        match message["role"].as_str() {
            Some("assistant") => place.answered += 1,
            Some("user") => {
                if let Some(steps) = texts(message).iter().rev().find_map(|text| named(text)) {
                    place = Place { steps, answered: 0 };
                }
            }
            _ => {}
        }
    }
    place
}

fn said(text: &str) -> Step {
    Step { text: Some(text.to_owned()), ..Step::default() }
}

/// A person's words: tools may answer with anything.
fn texts(message: &Value) -> Vec<&str> {
    match &message["content"] {
        Value::String(text) => vec![text],
        Value::Array(blocks) => blocks.iter().filter_map(|block| block["text"].as_str()).collect(),
        _ => Vec::new(),
    }
}

fn forwards(steps: &str) -> String {
    let (open, close) = BACKWARDS;
    let mut parts = steps.split(open);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (word, rest) = part.split_once(close).unwrap_or((part, ""));
        text.extend(word.chars().rev());
        text.push_str(rest);
    }
    text
}

fn named(text: &str) -> Option<Vec<Step>> {
    if let Some((_, rest)) = text.split_once(FENCE) {
        let steps = rest.split("```").next().unwrap_or_default();
        let broken = |error| vec![said(&format!("The scenario cannot be read: {error}"))];
        return Some(serde_json::from_str(&forwards(steps)).unwrap_or_else(broken));
    }
    let name = text.lines().find_map(|line| line.trim().strip_prefix(MARKER))?.trim();
    let mut known: HashMap<String, Vec<Step>> = serde_json::from_str(KNOWN).unwrap_or_default();
    Some(known.remove(name).unwrap_or_else(|| vec![said(&format!("There is no scenario {name}."))]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_known_scenarios_can_be_read() {
        let known: HashMap<String, Vec<Step>> = serde_json::from_str(KNOWN).unwrap();
        assert!(known.contains_key("happy") && known.values().all(|steps| !steps.is_empty()));
    }

    #[test]
    fn a_conversation_says_where_it_is() {
        let user =
            |text: &str| json!({"role": "user", "content": [{"type": "text", "text": text}]});
        let answer = json!({"role": "assistant", "content": []});
        let place = find(&[user("# Plan\n scenario: happy \n"), answer.clone(), answer.clone()]);
        assert_eq!(place.answered, 2);
        assert!(place.steps.len() > 2);
        let own =
            user("do\n```scenario\n[{\"text\": \"a\"}, {\"error\": 429, \"times\": 2}]\n```\n");
        let place = find(&[user("scenario: happy"), answer.clone(), own, answer]);
        assert_eq!((place.steps.len(), place.answered), (2, 1));
        assert_eq!(find(&[user("hello")]).steps.len(), 1);
    }

    #[test]
    fn a_secret_is_said_though_the_plan_does_not_hold_it() {
        let plan = "```scenario\n[{\"text\": \"a @backwards(terces)@, @backwards(s'ti)@\"}]\n```\n";
        let place = find(&[json!({"role": "user", "content": plan})]);
        assert_eq!(place.steps[0].text.as_deref(), Some("a secret, it's"));
    }
}
