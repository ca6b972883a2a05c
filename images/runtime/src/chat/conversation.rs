//! What the lines of the agent's program mean one after the other, in a conversation that does not end. Pure.

use std::collections::HashMap;
use std::time::Duration;

use fabrica_protocol::run::{Autonomy, Code, Entry, MessageState, TurnState};
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use super::known::Said;
use super::words::{code, denial, turn};
use crate::broker::ledger::Refusal;
use crate::run::claude::launch::message_named;
use crate::run::claude::outcome;
use crate::run::claude::stream::{Heard, ToolResult, TurnResult};
use crate::run::claude::watch::{self, Waiting};
use crate::run::claude::words::{
    AGENTS, REJECTIONS, answer, asked_again, control, is_told_otherwise, notice, shown,
};
use crate::run::driver::Failure;

/// What follows from a line.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "steps are few, and gone at once")]
pub(super) enum Step {
    Tell(Entry),
    /// The next piece of a text, live.
    Piece {
        id: String,
        text: String,
    },
    /// A line for the program.
    Write(Value),
    /// The agent rests: nothing is under way and nothing waits.
    Rests,
    /// The program is of no use any more.
    Broken(String),
}

/// How the conversation stands with one process.
#[derive(Debug)]
pub(super) struct Conversation {
    waiting: Waiting,
    in_turn: bool,
    /// What was said to it and is not over, in its order, by the id that the CLI knows.
    said: Vec<(Uuid, Sent)>,
    tools: HashMap<String, Tool>,
    /// The answer that is being made, and texts that began and ended in it.
    answer: String,
    begun: usize,
    ended: usize,
    background: usize,
    rejections: u32,
    /// The next turn is ended as soon as it has begun.
    stops: bool,
    /// Why the turn was ended by us.
    cause: Option<(Code, String)>,
    autonomy: Autonomy,
}

#[derive(Debug)]
struct Sent {
    text: String,
    /// Of a person; nothing when we spoke ourselves.
    said: Option<Said>,
    is_read: bool,
}

/// What a program leaves that is gone.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// What was unfinished, as it is told.
    pub(super) told: Vec<Entry>,
    /// What it never read, to be said again, whoever said it.
    pub(super) unread: Vec<(String, Option<Said>)>,
    /// What it was at work on. It may not have written that down before it went.
    pub(super) heard: Vec<String>,
}

#[derive(Debug)]
struct Tool {
    name: String,
    since: Instant,
    is_own: bool,
    answer: String,
}

impl Conversation {
    pub(super) fn new(autonomy: Autonomy) -> Self {
        Self {
            waiting: Waiting::Start,
            in_turn: false,
            said: Vec::new(),
            tools: HashMap::new(),
            answer: String::new(),
            begun: 0,
            ended: 0,
            background: 0,
            rejections: 0,
            stops: false,
            cause: None,
            autonomy,
        }
    }

    /// How far the agent may go by itself from now on; the line that says so to the program.
    pub(super) fn limit(&mut self, autonomy: Autonomy) -> Option<Value> {
        if self.autonomy == autonomy {
            return None;
        }
        self.autonomy = autonomy;
        let mode = if autonomy == Autonomy::DryRun { "plan" } else { "bypassPermissions" };
        let mut line = control("set_permission_mode");
        line["request"]["mode"] = mode.into();
        Some(line)
    }

    /// The line that says something to the agent.
    pub(super) fn say(&mut self, text: &str, said: Option<Said>) -> Value {
        let id = Uuid::new_v4();
        self.said.push((id, Sent { text: text.to_owned(), said, is_read: false }));
        message_named(id, text)
    }

    /// The line that makes it stop. A turn that is about to begin is stopped when it has: nothing would hear of it before.
    pub(super) fn interrupt(&mut self) -> Option<Value> {
        self.stops = self.is_about_to_begin();
        if !self.in_turn || self.waiting == Waiting::Interrupted {
            return None;
        }
        self.waiting = Waiting::Interrupted;
        Some(control("interrupt"))
    }

    pub(super) const fn is_started(&self) -> bool {
        !matches!(self.waiting, Waiting::Start)
    }

    /// Whether it was told something outside of a turn and has not begun with it.
    pub(super) fn is_about_to_begin(&self) -> bool {
        !self.in_turn && self.unread() > 0
    }

    pub(super) const fn in_turn(&self) -> bool {
        self.in_turn
    }

    /// Whether it does something, or is about to.
    pub(super) fn is_busy(&self) -> bool {
        self.in_turn || self.background > 0 || self.unread() > 0
    }

    /// How long it may be silent from now on.
    pub(super) fn patience(&self, silence: Duration) -> Option<Duration> {
        let works = self.tools.values().any(|tool| !AGENTS.contains(&tool.name.as_str()));
        let waiting = match self.waiting {
            Waiting::Start | Waiting::Interrupted => self.waiting,
            _ if !self.in_turn && self.unread() == 0 => Waiting::Human,
            Waiting::Model if works => Waiting::Tool,
            waiting => waiting,
        };
        watch::limit(waiting, silence)
    }

    /// What follows from a line; the broker may have refused something meanwhile.
    pub(super) fn hear(
        &mut self,
        heard: Heard,
        refusal: Option<&Refusal>,
        now: Instant,
    ) -> Vec<Step> {
        if !matches!(self.waiting, Waiting::Interrupted) {
            self.waiting = Waiting::Model;
        }
        if matches!(heard, Heard::Said { .. } | Heard::ToolStarted { .. }) {
            // The service answers: what it rejected before is over.
            self.rejections = 0;
        }
        match heard {
            Heard::Ready { tools_failed: true } => {
                vec![Step::Broken("The agent could not reach our tools.".to_owned())]
            }
            Heard::Ready { tools_failed: false } => self.begins(),
            Heard::TextBegins { answer } => {
                self.follow(&answer);
                self.begun += 1;
                Vec::new()
            }
            Heard::Delta { text } => {
                let id = format!("{}-{}", self.answer, self.begun.saturating_sub(1));
                vec![Step::Piece { id, text }]
            }
            Heard::Said { answer, text } => self.says(&answer, text),
            Heard::Thought { text } if text.trim().is_empty() => Vec::new(),
            Heard::Thought { text } => vec![Step::Tell(Entry::Thought { text })],
            Heard::Message { id, state } => self.moves(&id, &state),
            Heard::ToolStarted { answer, id, name, input, is_own } => {
                if is_own {
                    self.follow(&answer);
                }
                let tool = Tool { name: name.clone(), since: now, is_own, answer };
                self.tools.insert(id.clone(), tool);
                let input = shown(&input);
                let is_told = !is_told_otherwise(&name);
                is_told
                    .then_some(Step::Tell(Entry::ToolStarted { id, name, input }))
                    .into_iter()
                    .collect()
            }
            Heard::Answered { results, todos } => {
                let told = results.into_iter().filter_map(|result| self.finished(result, now));
                let todos = todos.map(|items| Entry::Todos { items });
                told.collect::<Vec<_>>().into_iter().chain(todos).map(Step::Tell).collect()
            }
            Heard::Retry { attempt, most, delay, status } => {
                self.retry(attempt, most, delay, status, refusal)
            }
            Heard::Background { agents } => {
                self.background = agents;
                Vec::new()
            }
            Heard::Idle => self.rests(),
            Heard::Question { id, question } => {
                let denial = |tool: &str| denial(tool, self.autonomy);
                vec![Step::Write(answer(&id, question, denial))]
            }
            Heard::Result(result) => self.turn_ends(&result, refusal),
            Heard::Malformed | Heard::Other => Vec::new(),
        }
    }

    /// It was silent for too long.
    pub(super) fn silent(&mut self, silence: Duration) -> Vec<Step> {
        let words = match self.waiting {
            Waiting::Start => "The agent's program was started and said nothing.",
            Waiting::Interrupted => "The agent was told to stop and did not.",
            _ => {
                self.waiting = Waiting::Interrupted;
                let text = format!("The agent said nothing for {} s.", silence.as_secs());
                self.cause = Some((Code::AgentFailed, text.clone()));
                return vec![Step::Tell(notice(text)), Step::Write(control("interrupt"))];
            }
        };
        vec![Step::Broken(words.to_owned())]
    }

    /// Its program is gone.
    pub(super) fn gone(&mut self) -> Left {
        let tools = self.tools.drain().filter(|(_, tool)| !is_told_otherwise(&tool.name));
        let finished = |(id, _)| {
            let output = "The agent's program ended before the tool had answered.".to_owned();
            Entry::ToolFinished { id, output, failed: true, duration_ms: None }
        };
        let mut left = Left { told: tools.map(finished).collect(), ..Left::default() };
        for (_, Sent { text, said, is_read }) in std::mem::take(&mut self.said) {
            if is_read {
                let state = MessageState::Completed;
                left.told.extend(said.map(|Said { id, .. }| Entry::MessageState { id, state }));
                left.heard.push(text);
            } else {
                left.unread.push((text, said));
            }
        }
        left
    }

    fn unread(&self) -> usize {
        self.said.iter().filter(|(_, sent)| !sent.is_read).count()
    }

    fn begins(&mut self) -> Vec<Step> {
        if self.in_turn {
            return Vec::new();
        }
        self.in_turn = true;
        let stop = std::mem::take(&mut self.stops).then(|| self.interrupt()).flatten();
        let begun = Step::Tell(turn(TurnState::Started, None));
        std::iter::once(begun).chain(stop.map(Step::Write)).collect()
    }

    /// A new answer: whatever the one before called for has been dealt with, even if we did not see how.
    fn follow(&mut self, answer: &str) {
        if self.answer != answer {
            answer.clone_into(&mut self.answer);
            (self.begun, self.ended) = (0, 0);
            self.tools.retain(|_, tool| !tool.is_own || tool.answer == answer);
        }
    }

    fn says(&mut self, answer: &str, text: String) -> Vec<Step> {
        self.follow(answer);
        let id = Some(format!("{answer}-{}", self.ended));
        self.ended += 1;
        if text.trim().is_empty() {
            return Vec::new();
        }
        vec![Step::Tell(Entry::Said { id, text })]
    }

    /// A message of ours has come further.
    fn moves(&mut self, id: &str, state: &str) -> Vec<Step> {
        let Ok(id) = id.parse::<Uuid>() else { return Vec::new() };
        let Some((_, sent)) = self.said.iter_mut().find(|(known, _)| *known == id) else {
            return Vec::new();
        };
        let (state, is_over) = match state {
            "started" => (MessageState::Started, false),
            "completed" => (MessageState::Completed, true),
            "cancelled" => (MessageState::Cancelled, true),
            _ => return Vec::new(),
        };
        sent.is_read = true;
        let told =
            sent.said.as_ref().map(|said| Entry::MessageState { id: said.id.clone(), state });
        if is_over {
            self.said.retain(|(known, _)| *known != id);
        }
        told.map(Step::Tell).into_iter().collect()
    }

    fn finished(&mut self, result: ToolResult, now: Instant) -> Option<Entry> {
        let ToolResult { id, output, failed } = result;
        let tool = self.tools.remove(&id);
        let elapsed = tool.as_ref().map(|tool| now.duration_since(tool.since).as_millis());
        let duration_ms = elapsed.map(|elapsed| u64::try_from(elapsed).unwrap_or(u64::MAX));
        let is_told = tool.is_none_or(|tool| !is_told_otherwise(&tool.name));
        is_told.then_some(Entry::ToolFinished { id, output, failed, duration_ms })
    }

    fn retry(
        &mut self,
        attempt: u64,
        most: u64,
        delay: u64,
        status: Option<u64>,
        refusal: Option<&Refusal>,
    ) -> Vec<Step> {
        if self.waiting == Waiting::Interrupted {
            return Vec::new();
        }
        self.waiting = Waiting::Retry(Duration::from_millis(delay));
        let is_rejected = matches!(status, Some(401 | 403));
        self.rejections += u32::from(is_rejected);
        let failure = refusal.map(outcome::refused).or_else(|| {
            let is_final = is_rejected && self.rejections >= REJECTIONS;
            is_final.then(|| outcome::service(status, "asked twice, it was rejected twice"))
        });
        if let Some(failure) = failure {
            self.cause = Some((code(&failure), failure.message));
            self.waiting = Waiting::Interrupted;
            return vec![Step::Write(control("interrupt"))];
        }
        vec![Step::Tell(asked_again(status, delay, attempt, most))]
    }

    fn turn_ends(&mut self, result: &TurnResult, refusal: Option<&Refusal>) -> Vec<Step> {
        self.waiting = Waiting::Model;
        self.in_turn = false;
        self.rejections = 0;
        self.tools.clear();
        let is_aborted =
            result.terminal_reason.as_deref().is_some_and(|reason| reason.starts_with("aborted"));
        let failed = |failure: Failure| (code(&failure), failure.message);
        let cause = self.cause.take().or_else(|| {
            let failure = outcome::failure(result, refusal);
            failure.filter(|_| refusal.is_some() || !is_aborted).map(failed)
        });
        let state = match (&cause, is_aborted) {
            (Some(_), _) => TurnState::Failed,
            (None, true) => TurnState::Interrupted,
            (None, false) => TurnState::Completed,
        };
        vec![Step::Tell(turn(state, cause))]
    }

    fn rests(&self) -> Vec<Step> {
        if self.is_busy() { Vec::new() } else { vec![Step::Rests] }
    }
}

#[cfg(test)]
mod tests;
