//! The conversation with the CLI: what its lines mean one after the other. It reads and writes nothing itself.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use fabrica_protocol::run::{self, Answer, Entry};
use serde_json::{Value, json};

use super::outcome;
use super::stream::{Heard, Question, ToolResult, TurnResult};
use super::watch::Waiting;
use super::words::{
    AGENTS, REJECTIONS, answer, asked_again, control, is_told_otherwise, notice, shown, success,
};
use crate::broker::ledger::Refusal;
use crate::run::ask::AskHuman;
use crate::run::driver::Failure;

/// Lines that are none: a program that says more of them speaks another language.
const MALFORMED: usize = 100;
/// What is said of an agent that is not let to work.
const NO_TOOLS: &str = "The agent could not reach the tools of its Run.";

/// What follows from a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Tell(Entry),
    /// A line for the CLI.
    Write(Value),
    /// The agent asks, and its call is held.
    Ask(run::Question),
    /// Its program ends; the call of this id waits to be asked about again.
    Park(String),
    /// The agent has ended.
    End(Result<(), Failure>),
}

/// How the conversation stands.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    waiting: Waiting,
    /// Tools at work, by their id; the answer that called for them.
    tools: HashMap<String, Tool>,
    /// Calls that are held, and the CLI's request about each.
    held: BTreeMap<String, String>,
    /// Subagents that outlive the turn.
    background: usize,
    result: Option<TurnResult>,
    idle: bool,
    malformed: usize,
    rejections: u32,
}

#[derive(Debug)]
struct Tool {
    name: String,
    answer: String,
    is_own: bool,
}

impl Conversation {
    /// What the agent waits for.
    pub(super) fn waiting(&self) -> Waiting {
        let works = self.tools.values().any(|tool| !AGENTS.contains(&tool.name.as_str()));
        match self.waiting {
            Waiting::Model if !self.held.is_empty() => Waiting::Human,
            Waiting::Model if works => Waiting::Tool,
            waiting => waiting,
        }
    }

    /// Tools that have not answered.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = &String> {
        self.tools.iter().filter(|(_, tool)| !is_told_otherwise(&tool.name)).map(|(id, _)| id)
    }

    /// What follows from a line; the broker may have refused something meanwhile.
    pub(super) fn hear(&mut self, heard: Heard, refusal: Option<&Refusal>) -> Vec<Step> {
        if self.waiting == Waiting::Interrupted {
            return hear_last(&heard);
        }
        match heard {
            Heard::Malformed => return self.malformed(),
            Heard::Retry { attempt, most, delay, status } => {
                return self.retry(attempt, most, delay, status, refusal);
            }
            // An answer: the key is taken again, whatever was said of it before.
            Heard::Said { .. } | Heard::ToolStarted { .. } => self.rejections = 0,
            _ => {}
        }
        self.waiting = Waiting::Model;
        match heard {
            Heard::Ready { tools_failed: true } => {
                vec![Step::End(Err(Failure::passing("AgentFailed", NO_TOOLS)))]
            }
            Heard::Said { answer, text } => {
                self.answer_begins(&answer);
                if text.trim().is_empty() {
                    Vec::new()
                } else {
                    vec![Step::Tell(Entry::Said { id: None, text })]
                }
            }
            Heard::ToolStarted { answer, id, name, input, is_own } => {
                if is_own {
                    self.answer_begins(&answer);
                }
                self.tool_started(answer, id, name, &input, is_own)
            }
            Heard::Answered { results, todos } => {
                let told = results.into_iter().filter_map(|result| self.tool_finished(result));
                let todos = todos.map(|items| Entry::Todos { items });
                told.collect::<Vec<_>>().into_iter().chain(todos).map(Step::Tell).collect()
            }
            Heard::Background { agents } => {
                self.background = agents;
                self.settle()
            }
            Heard::Idle => {
                self.idle = true;
                self.settle()
            }
            Heard::Question { id, question: Question::Ask { call, input } } => {
                self.asks(id, call, input)
            }
            Heard::Question { id, question } => vec![Step::Write(answer(&id, question, |_| None))],
            Heard::Result(result) => self.turn_ends(*result, refusal),
            // Dealt with above, or nothing to us.
            Heard::Ready { .. } | Heard::Retry { .. } | Heard::Malformed => Vec::new(),
            Heard::Other
            | Heard::TextBegins { .. }
            | Heard::Delta { .. }
            | Heard::Thought { .. }
            | Heard::Message { .. } => {
                if self.result.is_some() {
                    self.waiting = Waiting::Settle;
                }
                Vec::new()
            }
        }
    }

    /// The agent was silent for too long.
    pub(super) fn silent(&mut self, silence: Duration) -> Vec<Step> {
        match self.waiting() {
            Waiting::Settle if self.background == 0 => vec![Step::End(Ok(()))],
            Waiting::Model | Waiting::Retry(_) | Waiting::Settle => {
                self.waiting = Waiting::Interrupted;
                let seconds = silence.as_secs();
                let text = format!("The agent said nothing for {seconds} s. It is told to stop.");
                vec![Step::Tell(notice(text)), Step::Write(control("interrupt"))]
            }
            Waiting::Start => {
                let message = "The agent's program was started and said nothing.";
                vec![Step::End(Err(Failure::passing("AgentHung", message)))]
            }
            Waiting::Interrupted => vec![Step::End(Err(hung()))],
            Waiting::Tool | Waiting::Human => Vec::new(),
        }
    }

    /// A human has answered.
    pub(super) fn answered(&mut self, answer: Answer) -> Vec<Step> {
        let Some(request) = self.held.remove(&answer.id) else { return Vec::new() };
        let Answer { id, text, answered_by } = answer;
        let told = Step::Tell(Entry::Answered { id, text, answered_by });
        vec![told, Step::Write(decision(&request, "allow", "A human has answered."))]
    }

    /// A call cannot be held any longer.
    pub(super) fn over(&mut self, call: &str) -> Vec<Step> {
        let Some(request) = self.held.remove(call) else { return Vec::new() };
        vec![Step::Write(decision(&request, "defer", "Nobody has answered yet."))]
    }

    /// The program starts anew, and goes on with the same conversation.
    pub(super) fn resumed(&mut self) {
        let malformed = self.malformed;
        *self = Self { malformed, ..Self::default() };
    }

    fn asks(&mut self, request: String, call: String, input: Value) -> Vec<Step> {
        let asked = serde_json::from_value::<AskHuman>(input);
        let asked = asked.map_err(|_| "The question cannot be understood: ask again.");
        match asked.and_then(|asked| asked.question(&call)) {
            Ok(question) => {
                self.held.insert(call, request);
                vec![Step::Ask(question)]
            }
            Err(words) => vec![Step::Write(decision(&request, "deny", words))],
        }
    }

    /// The program is gone; how, and its last words.
    pub(super) fn gone(
        &mut self,
        how: &str,
        words: &str,
        refusal: Option<&Refusal>,
    ) -> Result<(), Failure> {
        if let Some(refusal) = refusal {
            return Err(outcome::refused(refusal));
        }
        if self.waiting == Waiting::Interrupted {
            return Err(hung());
        }
        if self.result.is_some() && self.background == 0 {
            return Ok(());
        }
        let words = words.trim().replace('\n', " ");
        let words = if words.is_empty() { "it said nothing more" } else { &words };
        Err(Failure::passing(
            "AgentFailed",
            format!("The agent's program ended with {how}: {words}."),
        ))
    }

    /// Whether it was in the middle of its work, with nobody to answer it: then it can go on.
    pub(super) fn is_at_work(&self) -> bool {
        let begun = matches!(self.waiting, Waiting::Model | Waiting::Retry(_) | Waiting::Settle);
        begun && self.held.is_empty() && (self.result.is_none() || self.background > 0)
    }

    fn turn_ends(&mut self, result: TurnResult, refusal: Option<&Refusal>) -> Vec<Step> {
        self.idle = false;
        self.tools.clear();
        self.held.clear();
        if let Some(failure) = outcome::failure(&result, refusal) {
            return vec![Step::End(Err(failure))];
        }
        if result.terminal_reason.as_deref() == Some("tool_deferred") {
            let call = result.deferred_tool_use.unwrap_or_default().id;
            return vec![Step::Park(call)];
        }
        self.result = Some(result);
        self.waiting = Waiting::Settle;
        Vec::new()
    }

    fn malformed(&mut self) -> Vec<Step> {
        self.malformed += 1;
        if self.malformed < MALFORMED {
            return Vec::new();
        }
        let message = "The agent's program does not speak the protocol that this runtime knows.";
        vec![Step::End(Err(Failure::lasting("AgentFailed", message)))]
    }

    fn retry(
        &mut self,
        attempt: u64,
        most: u64,
        delay: u64,
        status: Option<u64>,
        refusal: Option<&Refusal>,
    ) -> Vec<Step> {
        self.waiting = Waiting::Retry(Duration::from_millis(delay));
        if let Some(refusal) = refusal {
            return vec![Step::End(Err(outcome::refused(refusal)))];
        }
        if matches!(status, Some(401 | 403)) {
            self.rejections += 1;
            if self.rejections >= REJECTIONS {
                let failure = outcome::service(status, "asked twice, it was rejected twice");
                return vec![Step::End(Err(failure))];
            }
        }
        vec![Step::Tell(asked_again(status, delay, attempt, most))]
    }

    /// A new answer: whatever the one before called for has been dealt with, even if we did not see how.
    fn answer_begins(&mut self, answer: &str) {
        self.result = None;
        self.tools.retain(|_, tool| !tool.is_own || tool.answer == answer);
    }

    fn tool_started(
        &mut self,
        answer: String,
        id: String,
        name: String,
        input: &Value,
        is_own: bool,
    ) -> Vec<Step> {
        self.tools.insert(id.clone(), Tool { name: name.clone(), answer, is_own });
        if is_told_otherwise(&name) {
            return Vec::new();
        }
        vec![Step::Tell(Entry::ToolStarted { id, name, input: shown(input) })]
    }

    fn tool_finished(&mut self, result: ToolResult) -> Option<Entry> {
        let ToolResult { id, output, failed } = result;
        let tool = self.tools.remove(&id);
        let is_told = tool.is_none_or(|tool| !is_told_otherwise(&tool.name));
        is_told.then_some(Entry::ToolFinished { id, output, failed, duration_ms: None })
    }

    fn settle(&mut self) -> Vec<Step> {
        if self.result.is_none() {
            return Vec::new();
        }
        self.waiting = Waiting::Settle;
        if self.idle && self.background == 0 {
            return vec![Step::End(Ok(()))];
        }
        Vec::new()
    }
}

/// What still comes after an interrupt.
fn hear_last(heard: &Heard) -> Vec<Step> {
    match heard {
        Heard::Result(_) => vec![Step::End(Err(hung()))],
        _ => Vec::new(),
    }
}

fn hung() -> Failure {
    Failure::passing("AgentHung", "The agent stopped saying anything and was ended.")
}

/// What becomes of a call of `ask_human`.
fn decision(request: &str, decision: &str, why: &str) -> Value {
    let output = json!({
        "hookEventName": "PreToolUse",
        "permissionDecision": decision,
        "permissionDecisionReason": why,
    });
    success(request, &json!({"hookSpecificOutput": output}))
}

#[cfg(test)]
mod tests;
