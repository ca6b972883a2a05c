//! The life of a conversation: the agent's program is started and kept alive, people's wishes reach it, and what it says
//! is written down.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use fabrica_protocol::chat::AgentState;
use fabrica_protocol::run::{Answer, Code, Entry, TurnState};
use fabrica_protocol::runtime::TERMINATION_BYTES;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::agent::Agent;
use super::conversation::{self, Conversation, Step, plain, turn};
use super::desk::Desk;
use super::handle::{Chat, Wish};
use super::known::Said;
use super::{ground, view};
use crate::config::Config;
use crate::idle::Activity;
use crate::journal::Journal as Steps;
use crate::run::ask;
use crate::run::branch::Branch;
use crate::run::claude::process::Process;
use crate::run::claude::{launch, stream};
use crate::run::work_item;
use crate::start::{self, StartError};

/// The program gets this long to end: with all else, SIGTERM ends us in under 10 s.
const GRACE: Duration = Duration::from_secs(2);
/// A program that ended by itself is started again after this, and doubly so each time.
const PAUSE: Duration = Duration::from_secs(1);
/// One that ended this often in that time is not started again before somebody speaks.
const CRASHES: usize = 3;
const PERIOD: Duration = Duration::from_mins(10);
/// What models were used for is told at most this often, while it grows.
const USAGE_PERIOD: Duration = Duration::from_secs(5);
/// A forge that has not handed out a work item by then does not.
const FETCH: Duration = Duration::from_mins(1);

const AGAIN: &str = "The agent process was restarted. Check the state of the workspace before you repeat anything, then continue.";
const INSTALLING: &str = "(From Fabrica: the repository's dependencies are being installed by npm. You are told when that has ended.)";
const INSTALLED: &str =
    "(From Fabrica: npm has ended. Look at node_modules before you rely on it.)";
const WORKFLOW: &str = "Work it through the phases frame, architect, build, evaluate, release, in this order. Say with set_phase of fractary-faber when each begins and ends; its answer says what comes next. When all is done, call complete.";

/// Lives until told to stop.
pub async fn live(
    chat: &Arc<Chat>,
    config: &Config,
    steps: &Arc<Steps>,
    activity: &Activity,
    ready: impl Fn(),
    told_to_stop: impl Future<Output = ()>,
) -> ExitCode {
    let mut life = None;
    let living = async {
        let begun = Life::begin(chat, config, steps, activity).await?;
        ready();
        let npm =
            config.install_dependencies && config.workspace.join("repo/package.json").exists();
        if npm {
            begun.desk.chat.tell(conversation::notice("npm runs beside the agent.".to_owned()));
        }
        let life = life.insert(begun);
        life.notes.extend(npm.then(|| INSTALLING.to_owned()));
        let installing = async {
            start::install(config, steps, activity).await;
            npm
        };
        match life.run(installing).await {}
    };
    let code = tokio::select! {
        failed = living => failed_to_start(config, failed),
        () = told_to_stop => ExitCode::SUCCESS,
    };
    if let Some(mut life) = life {
        life.stop().await;
    }
    code
}

fn failed_to_start(config: &Config, failed: Result<Infallible, StartError>) -> ExitCode {
    let Err(error) = failed;
    let text = serde_json::to_string(&error.termination()).unwrap_or_default();
    let cut = text.floor_char_boundary(TERMINATION_BYTES);
    if let Err(problem) = std::fs::write(&config.termination_log, &text[..cut]) {
        tracing::warn!(error = %problem, "the termination message cannot be written");
    }
    ExitCode::FAILURE
}

struct Life {
    chat: Arc<Chat>,
    desk: Arc<Desk>,
    wanted: mpsc::Receiver<Wish>,
    agent: Option<Agent>,
    running: Option<Running>,
    conversation: Conversation,
    /// What is to be said to the agent, as soon as there is a program.
    queue: VecDeque<Words>,
    /// What the agent is told before the next message.
    notes: Vec<String>,
    crashes: VecDeque<Instant>,
    /// When the program is started next.
    start_at: Option<Instant>,
    /// Why it is not started by itself.
    given_up: Option<String>,
    /// Whether the program that was before ended in the middle of a turn.
    was_in_turn: bool,
    /// How the newest turn ended.
    over: Option<TurnState>,
    counted: Instant,
}

/// What is said to the agent, and by whom when not by us.
struct Words {
    text: String,
    said: Option<Said>,
}

struct Running {
    process: Process,
    /// When it last said something.
    heard: Instant,
}

/// What comes next.
enum Event {
    Wish(Wish),
    Line(Vec<u8>),
    Gone,
    Answered(Answer),
    Start,
    Silent,
    Installed(bool),
}

impl Life {
    async fn begin(
        chat: &Arc<Chat>,
        config: &Config,
        steps: &Arc<Steps>,
        activity: &Activity,
    ) -> Result<Self, StartError> {
        let branch = Branch { name: &chat.settings.branch, uid: &config.session_id };
        let begun = ground::prepare(config, &branch, steps, activity).await?;
        let repository = config.repository.clone().ok_or_else(|| StartError {
            step: "clone",
            reason: "RepositoryMissing",
            message: "A Chat needs REPO_URL.".to_owned(),
        })?;
        let desk = Desk::new(config.clone(), repository, chat.clone(), steps.clone(), begun);
        let (queue, was_in_turn) = {
            let known = chat.known();
            (known.waiting.iter().cloned().map(Words::of).collect(), known.in_turn)
        };
        let (_, nobody) = mpsc::channel(1);
        Ok(Self {
            wanted: chat.wanted().unwrap_or(nobody),
            conversation: Conversation::new(desk.autonomy()),
            chat: chat.clone(),
            desk: Arc::new(desk),
            agent: None,
            running: None,
            queue,
            notes: Vec::new(),
            crashes: VecDeque::new(),
            start_at: Some(Instant::now()),
            given_up: None,
            was_in_turn,
            over: None,
            counted: Instant::now(),
        })
    }

    async fn run(&mut self, installing: impl Future<Output = bool>) -> Infallible {
        self.come_back().await;
        let mut installing = std::pin::pin!(futures::FutureExt::fuse(installing));
        loop {
            self.stand();
            let event = tokio::select! {
                biased;
                event = self.event() => event,
                npm = &mut installing => Event::Installed(npm),
            };
            self.take(event).await;
            if self.counted.elapsed() >= USAGE_PERIOD {
                self.counted = Instant::now();
                self.desk.count();
            }
        }
    }

    /// The Session's own workflow begins, once; one that a former process began goes on.
    async fn come_back(&mut self) {
        let settings = &self.chat.settings;
        let (has_worked, open) = {
            let known = self.chat.known();
            (known.has_worked, known.work.as_ref().map(|work| work.work_id.clone()))
        };
        match (open, &settings.forge.work_id) {
            (Some(work_id), _) => {
                // Only the pull request's words need it.
                let fetching = self.desk.fetch(&work_id);
                let _ = tokio::time::timeout(FETCH, fetching).await;
            }
            (None, Some(work_id)) if settings.workflow && !has_worked => {
                let (work_id, autonomy) = (work_id.clone(), settings.autonomy);
                let named = work_id.clone();
                let author = String::new();
                self.chat.tell(Entry::WorkflowStarted { work_id: named, autonomy, author });
                self.work(&work_id, None).await;
            }
            _ => {}
        }
    }

    async fn event(&mut self) -> Event {
        let orphans = self.desk.orphans();
        let orphans: Vec<&str> = orphans.iter().map(|question| question.id.as_str()).collect();
        let (chat, silence) = (&self.chat, self.chat.settings.agent.silence);
        let patience = self.conversation.patience(silence);
        let silent_at = self.running.as_ref().zip(patience).map(|(it, limit)| it.heard + limit);
        let line = async {
            match &mut self.running {
                Some(running) => {
                    // Who is not kept elsewhere has to wait.
                    chat.journal.room().await;
                    running.process.line().await.map_or(Event::Gone, Event::Line)
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(wish) = self.wanted.recv() => Event::Wish(wish),
            event = line => event,
            answer = chat.questions.answered(&orphans) => Event::Answered(answer),
            () = until(self.start_at) => Event::Start,
            () = until(silent_at) => Event::Silent,
        }
    }

    async fn take(&mut self, event: Event) {
        match event {
            Event::Wish(wish) => self.obey(wish).await,
            Event::Line(line) => {
                let refusal = self.agent.as_ref().and_then(|agent| agent.broker().refusal());
                if let Some(running) = &mut self.running {
                    running.heard = Instant::now();
                }
                let heard = stream::parse(&line);
                let was_started = self.conversation.is_started();
                let steps = self.conversation.hear(heard, refusal.as_ref(), Instant::now());
                self.follow(steps).await;
                if !was_started && self.running.is_some() {
                    self.greet().await;
                }
            }
            Event::Gone => {
                let words = self.last_words().await;
                self.crashed(&words).await;
            }
            Event::Answered(answer) => {
                self.desk.close(&answer);
                let asked = self.chat.questions.asked(&answer.id);
                let asked = asked.map(|asked| asked.question).unwrap_or_default();
                let words = ask::words(&answer);
                self.tell(&format!("You asked earlier: {asked}\n\n{words}")).await;
            }
            Event::Start => self.start().await,
            Event::Silent => {
                if let Some(running) = &mut self.running {
                    running.heard = Instant::now();
                }
                let steps = self.conversation.silent(self.chat.settings.agent.silence);
                self.follow(steps).await;
            }
            Event::Installed(true) => {
                self.notes.retain(|note| note != INSTALLING);
                self.notes.push(INSTALLED.to_owned());
                if self.conversation.in_turn() {
                    let note = std::mem::take(&mut self.notes).join("\n\n");
                    self.tell(&note).await;
                }
            }
            Event::Installed(false) => {}
        }
    }

    async fn follow(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Tell(entry) => {
                    if let Entry::Turn { state, code, .. } = &entry {
                        self.turned(*state, *code);
                    }
                    self.chat.tell(entry);
                }
                Step::Piece { id, text } => self.chat.show(view::delta(id, text)),
                Step::Write(line) => self.write(line).await,
                Step::Rests => self.rests().await,
                Step::Broken(words) => {
                    self.end_process().await;
                    self.crashed(&words).await;
                }
            }
        }
        self.limit().await;
    }

    /// A workflow that has no money, or no key, is over.
    fn turned(&mut self, state: TurnState, code: Option<Code>) {
        if state == TurnState::Started {
            return;
        }
        self.over = Some(state);
        self.desk.count();
        match code {
            Some(Code::BudgetExceeded) => {
                self.desk.end_workflow(2, "The limit of money or of turns is used up.", None);
            }
            Some(Code::AuthRejected) => {
                self.desk.end_workflow(4, "The model's service does not accept the key.", None);
            }
            _ => {}
        }
    }

    /// The program may do as much as the workflow, which begins and ends under it.
    async fn limit(&mut self) {
        if self.running.is_some() && self.conversation.is_started() {
            if let Some(line) = self.conversation.limit(self.desk.autonomy()) {
                self.write(line).await;
            }
        }
    }

    /// The agent rests: while a workflow is open it is reminded of it.
    async fn rests(&mut self) {
        if self.over.take() != Some(TurnState::Completed) || !self.queue.is_empty() {
            return;
        }
        if !self.desk.orphans().is_empty() {
            return;
        }
        let nudge = self.chat.known().work.as_mut().map(|work| work.engine.nudge());
        match nudge {
            Some(Some(words)) => self.tell(&words).await,
            Some(None) => {
                let summary = "The agent rested again and again without completing the workflow.";
                self.desk.end_workflow(1, summary, None);
            }
            None => {}
        }
    }

    async fn obey(&mut self, wish: Wish) {
        match wish {
            Wish::Say(said) => {
                if let Some(work) = &mut self.chat.known().work {
                    work.engine.forgive();
                }
                if self.given_up.take().is_some() {
                    self.crashes.clear();
                    self.start_at = Some(Instant::now());
                }
                self.queue.push_back(Words::of(said));
                self.pass_on().await;
            }
            Wish::Work { work_id, plan } => self.work(&work_id, plan.as_deref()).await,
            Wish::Interrupt => match self.conversation.interrupt() {
                Some(line) => {
                    self.write(line).await;
                    self.desk.withdraw();
                }
                None if !self.conversation.in_turn() => {
                    self.desk.withdraw();
                    self.desk.end_workflow(3, "Somebody cancelled the workflow.", None);
                }
                None => {}
            },
        }
    }

    /// The agent begins to work an item.
    async fn work(&mut self, work_id: &str, plan: Option<&str>) {
        let fetched = tokio::time::timeout(FETCH, self.desk.fetch(work_id)).await;
        let late = |_| "The work item was not fetched in time.".to_owned();
        match fetched.map_err(late).flatten() {
            Ok(item) => {
                let plan = plan.map(|plan| format!("\n\n<plan>\n{plan}\n</plan>"));
                let head = format!("Run FABER workflow for work item #{}", item.number);
                let text = format!("{head}\n\n{WORKFLOW}{}", plan.unwrap_or_default());
                self.tell(&work_item::join(Some(&text), Some(&item))).await;
            }
            Err(words) => self.desk.end_workflow(4, &words, None),
        }
    }
}

/// The program.
impl Life {
    async fn start(&mut self) {
        self.start_at = None;
        if let Err(failure) = self.launch().await {
            let code = conversation::code(&failure);
            self.chat.tell(turn(TurnState::Failed, Some((code, failure.message.clone()))));
            self.turned(TurnState::Failed, Some(code));
            self.given_up = Some(failure.message);
        }
    }

    async fn launch(&mut self) -> Result<(), crate::run::driver::Failure> {
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
    async fn greet(&mut self) {
        if std::mem::take(&mut self.was_in_turn) {
            self.queue.push_front(Words::ours(AGAIN));
        }
        self.limit().await;
        self.pass_on().await;
    }

    /// Says what waits.
    async fn pass_on(&mut self) {
        if self.running.is_none() || !self.conversation.is_started() {
            return;
        }
        while let Some(Words { mut text, said }) = self.queue.pop_front() {
            let is_command = said.as_ref().is_some_and(|said| said.command);
            if !is_command && !self.notes.is_empty() {
                self.notes.push(text);
                text = std::mem::take(&mut self.notes).join("\n\n");
            }
            let line = self.conversation.say(&text, said);
            self.write(line).await;
        }
    }

    /// Says something of ours, as soon as there is a program.
    async fn tell(&mut self, text: &str) {
        self.queue.push_back(Words::ours(text));
        self.pass_on().await;
    }

    async fn write(&self, line: serde_json::Value) {
        if let Some(running) = &self.running {
            running.process.write(line).await;
        }
    }

    async fn last_words(&mut self) -> String {
        let Some(running) = &mut self.running else { return String::new() };
        let status = running.process.finish(GRACE).await;
        let how = status.map_or_else(|| "a closed pipe".to_owned(), |status| status.to_string());
        let words = running.process.complaints().trim().replace('\n', " ");
        let words = if words.is_empty() { String::new() } else { format!(" ({words})") };
        format!("The agent's program ended with {how}{words}.")
    }

    async fn end_process(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.process.end(GRACE).await;
        }
    }

    /// The program is gone, and goes on with the same conversation, unless that happens too often.
    async fn crashed(&mut self, words: &str) {
        self.running = None;
        self.desk.let_go();
        self.desk.count();
        let was_in_turn = self.conversation.in_turn();
        let (told, again) = self.conversation.gone();
        for entry in told {
            self.chat.tell(entry);
        }
        for said in again.into_iter().rev() {
            self.queue.push_front(Words::of(said));
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
            self.chat.tell(conversation::notice(text.clone()));
        }
        self.was_in_turn |= was_in_turn;
        self.conversation = Conversation::new(self.desk.autonomy());
        if gives_up {
            self.given_up = Some(text);
        } else {
            let doublings = u32::try_from(self.crashes.len() - 1).unwrap_or_default();
            self.start_at = Some(now + PAUSE * 2_u32.pow(doublings));
        }
    }

    fn stand(&self) {
        let (state, message) = if let Some(words) = &self.given_up {
            (AgentState::Failed, Some(words.clone()))
        } else if self.running.is_none() && !self.crashes.is_empty() {
            (AgentState::Restarting, None)
        } else if self.running.is_none() || !self.conversation.is_started() {
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
    async fn stop(&mut self) {
        self.chat.stand(AgentState::Stopped, None);
        self.end_process().await;
        self.desk.count();
    }
}

impl Words {
    fn ours(text: &str) -> Self {
        Self { text: text.to_owned(), said: None }
    }

    fn of(said: Said) -> Self {
        Self { text: plain(&said), said: Some(said) }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
