//! The agent's program: started, spoken to, and started again.

use std::time::Duration;

use fabrica_protocol::chat::AgentState;
use fabrica_protocol::run::{Code, TurnState};
use tokio::time::Instant;

use super::{Life, Running};
use crate::chat::agent::Agent;
use crate::chat::conversation::Conversation;
use crate::chat::known::Said;
use crate::chat::words::{code, plain, turn};
use crate::run::claude::launch;
use crate::run::claude::words::notice;
use crate::run::driver::Failure;

/// The program gets this long to end: with all else, SIGTERM ends us in under 10 s.
const GRACE: Duration = Duration::from_secs(2);
/// A program that ended by itself is started again after this, and doubly so each time.
const PAUSE: Duration = Duration::from_secs(1);
/// One that ended this often in that time is not started again before somebody speaks.
const CRASHES: usize = 3;
const PERIOD: Duration = Duration::from_mins(10);

/// What is said to the agent, and by whom when not by us.
pub(super) struct Words {
    text: String,
    said: Option<Said>,
}

impl Words {
    pub(super) fn ours(text: &str) -> Self {
        Self { text: text.to_owned(), said: None }
    }

    pub(super) fn of(said: Said) -> Self {
        Self { text: plain(&said), said: Some(said) }
    }

    /// Whether a person said it.
    pub(super) const fn is_said(&self) -> bool {
        self.said.is_some()
    }
}

impl Life {
    pub(super) async fn start(&mut self) {
        self.start_at = None;
        if let Err(failure) = self.launch().await {
            let code = code(&failure);
            self.chat.tell(turn(TurnState::Failed, Some((code, failure.message.clone()))));
            self.end_work(4, &failure.message);
            self.given_up = Some(failure.message);
        }
    }

    /// Somebody wants something of a program that was given up.
    pub(super) fn wake(&mut self) {
        if self.given_up.take().is_some() {
            self.crashes.clear();
            self.start_at = Some(Instant::now());
        }
    }

    async fn launch(&mut self) -> Result<(), Failure> {
        if self.agent.is_none() {
            self.agent = Some(Agent::open(&self.desk).await?);
        }
        let Some(agent) = &self.agent else { return Ok(()) };
        let process = agent.start(&self.desk)?;
        process.write(launch::initialize()).await;
        self.conversation = Conversation::new(self.desk.autonomy());
        self.running = Some(Running { process, heard: Instant::now() });
        Ok(())
    }

    /// The program listens: it hears what happened, and what was said meanwhile.
    pub(super) async fn greet(&mut self) {
        self.chat.counters.starts();
        let heard = std::mem::take(&mut self.heard);
        if std::mem::take(&mut self.was_in_turn) {
            let again = [launch::AGAIN.to_owned()];
            let words = again.into_iter().chain(heard).collect::<Vec<_>>();
            self.queue.push_front(Words::ours(&words.join("\n\n")));
        }
        self.pass_on().await;
    }

    /// Whether there is a program that hears what is said.
    pub(super) fn listens(&self) -> bool {
        self.running.is_some() && self.conversation.is_started()
    }

    /// Says what waits.
    pub(super) async fn pass_on(&mut self) {
        if !self.listens() {
            return;
        }
        // How far the agent may go, before what it is to do. One that rests begins with all of it.
        if !self.conversation.is_busy() {
            for said in self.queue.iter().filter_map(|words| words.said.as_ref()) {
                self.chat.known().begin_message(&said.id);
            }
        }
        self.limit().await;
        while let Some(Words { mut text, said }) = self.queue.pop_front() {
            let is_command = said.as_ref().is_some_and(|said| said.command);
            if !is_command && !self.notes.is_empty() {
                self.notes.push(text);
                text = std::mem::take(&mut self.notes).join("\n\n");
            }
            let id = said.as_ref().map(|said| said.id.clone());
            let line = self.conversation.say(&text, said);
            self.write(line).await;
            if let Some(id) = id {
                self.chat.counters.heard(&id, Instant::now());
            }
        }
    }

    /// Says something of ours, as soon as there is a program.
    pub(super) async fn tell(&mut self, text: &str) {
        self.queue.push_back(Words::ours(text));
        self.pass_on().await;
    }

    pub(super) async fn write(&self, line: serde_json::Value) {
        if let Some(running) = &self.running {
            running.process.write(line).await;
        }
    }

    pub(super) async fn last_words(&mut self) -> String {
        let Some(running) = &mut self.running else { return String::new() };
        let status = running.process.finish(GRACE).await;
        let how = status.map_or_else(|| "a closed pipe".to_owned(), |status| status.to_string());
        let words = running.process.complaints().trim().replace('\n', " ");
        let words = if words.is_empty() { String::new() } else { format!(" ({words})") };
        format!("The agent's program ended with {how}{words}.")
    }

    pub(super) async fn end_process(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.process.end(GRACE).await;
        }
    }

    /// The program is gone, and goes on with the same conversation, unless that happens too often.
    pub(super) fn crashed(&mut self, words: &str) {
        self.chat.counters.crashed();
        self.running = None;
        if let Some(agent) = &self.agent {
            agent.broker().forgive();
        }
        self.desk.let_go();
        self.desk.count();
        let left = self.conversation.gone();
        // A message may be read before its turn begins.
        let was_in_turn = self.conversation.in_turn() || !left.heard.is_empty();
        for entry in left.told {
            self.chat.tell(entry);
        }
        for (text, said) in left.unread.into_iter().rev() {
            self.queue.push_front(Words { text, said });
        }
        // One that ends before it hears anything leaves what the one before had heard.
        if !left.heard.is_empty() {
            self.heard = left.heard;
        }
        let now = Instant::now();
        self.crashes.retain(|then| now.duration_since(*then) < PERIOD);
        self.crashes.push_back(now);
        let gives_up = self.crashes.len() >= CRASHES;
        let next = if gives_up {
            "That is too often: it is started again when somebody speaks."
        } else {
            "It is started again, with the same conversation."
        };
        let text = self.desk.config.secrets.redact(&format!("{words} {next}"));
        if was_in_turn {
            self.chat.tell(turn(TurnState::Failed, Some((Code::AgentFailed, text.clone()))));
        } else {
            self.chat.tell(notice(text.clone()));
        }
        self.was_in_turn |= was_in_turn;
        self.conversation = Conversation::new(self.desk.autonomy());
        if gives_up {
            self.end_work(4, &text);
            self.given_up = Some(text);
        } else {
            let doublings = u32::try_from(self.crashes.len() - 1).unwrap_or_default();
            self.start_at = Some(now + PAUSE * 2_u32.pow(doublings));
        }
    }

    pub(super) fn stand(&self) {
        let (state, message) = if let Some(words) = &self.given_up {
            (AgentState::Failed, Some(words.clone()))
        } else if self.running.is_none() && !self.crashes.is_empty() {
            (AgentState::Restarting, None)
        } else if !self.listens() {
            (AgentState::Starting, None)
        } else if self.desk.waits() {
            (AgentState::Waiting, None)
        } else if self.conversation.is_busy() {
            (AgentState::Working, None)
        } else {
            (AgentState::Idle, None)
        };
        self.chat.stand(state, message);
    }

    /// The pod ends: the program is told so, and goes on in the next one.
    pub(super) async fn stop(&mut self) {
        self.chat.stand(AgentState::Stopped, None);
        self.end_process().await;
        // What it has not read waits in the journal.
        let told = self.conversation.gone().told;
        for entry in told {
            self.chat.tell(entry);
        }
        self.desk.count();
    }
}
