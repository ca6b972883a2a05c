//! The life of a conversation: the agent's program is started and kept alive, people's wishes reach it, and what it says
//! is written down.

mod program;
mod work;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use fabrica_protocol::run::{Answer, Code, Entry, TurnState};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::program::Words;
use self::work::Coming;
use super::agent::Agent;
use super::conversation::{Conversation, Step};
use super::desk::Desk;
use super::handle::{Chat, Wish};
use super::known::Work;
use super::{ground, view};
use crate::config::Config;
use crate::forge::WorkItem;
use crate::idle::Activity;
use crate::journal::Journal as Steps;
use crate::run::ask;
use crate::run::branch::Branch;
use crate::run::claude::process::Process;
use crate::run::claude::stream;
use crate::run::claude::words::notice;
use crate::secrets::Pieces;
use crate::start::{self, StartError};

/// Where something bounds what the agent may use up, and its journal was found, nothing is asked before we heard what was
/// seen of it; or this long, as whoever keeps journals may be away.
const HEARD: Duration = Duration::from_secs(5);
/// What models were used for is told at most this often, while it grows.
const USAGE_PERIOD: Duration = Duration::from_secs(5);
/// A workflow whose turn has failed goes on after this: the program itself has asked the model for minutes by then.
const AFTER_FAILURE: Duration = Duration::from_secs(15);

const INSTALLING: &str = "(From Fabrica: the repository's dependencies are being installed by npm. You are told when that has ended.)";
const INSTALLED: &str =
    "(From Fabrica: npm has ended. Look at node_modules before you rely on it.)";

/// What people and the agent are told where a pod finds nothing of the one before.
const LOST: &str = "An earlier pod of this Session is gone, with its files and all that was said in it; what was pushed is left. This is a new conversation.";

/// Lives until told to stop, unless a start step fails.
pub async fn live(
    chat: &Arc<Chat>,
    config: &Config,
    steps: &Arc<Steps>,
    activity: &Activity,
    ready: impl Fn(),
    told_to_stop: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let mut life = None;
    let living = async {
        let begun = Life::begin(chat, config, steps, activity).await?;
        ready();
        let npm =
            config.install_dependencies && config.workspace.join("repo/package.json").exists();
        let life = life.insert(begun);
        life.notes.extend(npm.then(|| INSTALLING.to_owned()));
        let installing = async {
            start::install(config, steps, activity).await;
            if !npm {
                std::future::pending::<()>().await;
            }
        };
        match Box::pin(life.run(activity, installing)).await {}
    };
    let lived = tokio::select! {
        failed = living => failed,
        () = told_to_stop => Ok(()),
    };
    if let Some(mut life) = life {
        life.stop().await;
    }
    lived
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
    /// What that program was at work on.
    heard: Vec<String>,
    /// How the newest turn ended.
    over: Option<TurnState>,
    /// When a workflow goes on whose turn has failed, and why it has.
    failed: Option<(Instant, String)>,
    coming: Option<Coming>,
    counted: Instant,
    /// The text that is shown piece by piece, by its id.
    shown: (String, Pieces),
}

struct Running {
    process: Process,
    /// When it last said something.
    heard: Instant,
}

/// What comes next.
enum Event {
    Wish(Wish),
    Item(Result<WorkItem, String>),
    Line(Vec<u8>),
    Gone,
    Answered(Answer),
    Start,
    GoOn,
    Silent,
    Installed,
}

impl Life {
    async fn begin(
        chat: &Arc<Chat>,
        config: &Config,
        steps: &Arc<Steps>,
        activity: &Activity,
    ) -> Result<Self, StartError> {
        let repository = config.repository.clone().ok_or_else(|| StartError {
            step: "clone",
            reason: "RepositoryMissing",
            message: "A Chat needs REPO_URL.".to_owned(),
        })?;
        let branch = Branch { name: &chat.settings.branch, uid: &config.session_id };
        let begun = ground::prepare(config, &repository, &branch, steps, activity).await?;
        let desk = Desk::new(config.clone(), repository, chat.clone(), steps.clone(), begun);
        let was_in_turn = chat.known().in_turn;
        if chat.is_anew {
            chat.tell(notice(LOST.to_owned()));
        }
        let (_, nobody) = mpsc::channel(1);
        Ok(Self {
            wanted: chat.wanted().unwrap_or(nobody),
            conversation: Conversation::new(desk.autonomy()),
            chat: chat.clone(),
            desk: Arc::new(desk),
            agent: None,
            running: None,
            queue: VecDeque::new(),
            notes: Vec::from_iter(chat.is_anew.then(|| format!("(From Fabrica: {LOST})"))),
            crashes: VecDeque::new(),
            start_at: None,
            given_up: None,
            was_in_turn,
            heard: Vec::new(),
            over: None,
            failed: None,
            coming: None,
            counted: Instant::now(),
            shown: Default::default(),
        })
    }

    async fn run(
        &mut self,
        activity: &Activity,
        installing: impl Future<Output = ()>,
    ) -> Infallible {
        self.desk.withdraw_former();
        let agent = &self.chat.settings.agent;
        if self.chat.is_found && (agent.budget.is_some() || agent.turns.is_some()) {
            let _ = tokio::time::timeout(HEARD, self.chat.purse.heard()).await;
        }
        self.start().await;
        self.come_back();
        let mut installing = std::pin::pin!(futures::FutureExt::fuse(installing));
        loop {
            self.stand();
            let event = tokio::select! {
                biased;
                event = self.event() => event,
                () = &mut installing => Event::Installed,
            };
            if self.chat.is_busy() {
                activity.touch();
            }
            self.take(event).await;
            if self.counted.elapsed() >= USAGE_PERIOD {
                self.counted = Instant::now();
                self.desk.count();
            }
        }
    }

    async fn event(&mut self) -> Event {
        let orphans = self.desk.orphans();
        let orphans: Vec<&str> = orphans.iter().map(|question| question.id.as_str()).collect();
        let (chat, silence) = (&self.chat, self.chat.settings.agent.silence);
        let patience = self.conversation.patience(silence);
        // Once taken it counts as told, so it waits for a program that listens, or that it starts again.
        let takes_answers = self.listens() || self.given_up.is_some();
        let silent_at = self.running.as_ref().zip(patience).map(|(it, limit)| it.heard + limit);
        let line = async {
            let Some(running) = &mut self.running else { return std::future::pending().await };
            // Who is not kept elsewhere has to wait, and is not silent meanwhile.
            let since = Instant::now();
            chat.journal.room().await;
            let silent_at = silent_at.map(|at| at + since.elapsed());
            tokio::select! {
                biased;
                line = running.process.line() => line.map_or(Event::Gone, Event::Line),
                () = until(silent_at) => Event::Silent,
            }
        };
        tokio::select! {
            biased;
            Some(wish) = self.wanted.recv() => Event::Wish(wish),
            item = Coming::item(&mut self.coming) => Event::Item(item),
            event = line => event,
            answer = chat.questions.answered(&orphans), if takes_answers => Event::Answered(answer),
            () = until(self.start_at) => Event::Start,
            () = until(self.failed.as_ref().map(|(at, _)| *at)) => Event::GoOn,
        }
    }

    async fn take(&mut self, event: Event) {
        match event {
            Event::Wish(wish) => self.obey(wish).await,
            Event::Item(fetched) => self.work(fetched).await,
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
                self.crashed(&words);
            }
            Event::Answered(answer) if self.desk.adopt(&answer) => {
                let asked = self.chat.questions.asked(&answer.id);
                let asked = asked.map(|asked| asked.question).unwrap_or_default();
                let words = ask::words(&answer);
                self.wake();
                self.tell(&format!("You asked earlier: {asked}\n\n{words}")).await;
            }
            // A call has come for it meanwhile.
            Event::Answered(_) => {}
            Event::Start => self.start().await,
            Event::GoOn => self.go_on().await,
            Event::Silent => {
                if let Some(running) = &mut self.running {
                    running.heard = Instant::now();
                }
                let steps = self.conversation.silent(self.chat.settings.agent.silence);
                self.follow(steps).await;
            }
            Event::Installed => {
                self.notes.retain(|note| note != INSTALLING);
                self.notes.push(INSTALLED.to_owned());
                if self.conversation.in_turn() {
                    let note = std::mem::take(&mut self.notes).join("\n\n");
                    self.tell(&note).await;
                }
            }
        }
    }

    async fn follow(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Tell(entry) => {
                    let over = match &entry {
                        Entry::Turn { state, code, message } => {
                            Some((*state, *code, message.clone()))
                        }
                        _ => None,
                    };
                    self.chat.tell(entry);
                    if let Some((state, code, message)) = over {
                        self.turned(state, code, message);
                    }
                }
                Step::Piece { id, text } => self.show(id, &text),
                Step::Write(line) => self.write(line).await,
                Step::Rests => self.rests().await,
                Step::Broken(words) => {
                    self.end_process().await;
                    self.crashed(&words);
                }
            }
        }
        self.limit().await;
    }

    /// Shows a piece of a text, by the rules of what is written down.
    fn show(&mut self, id: String, piece: &str) {
        if self.shown.0 != id {
            self.shown = (id.clone(), Pieces::default());
        }
        let text = self.shown.1.push(&self.desk.config.secrets, piece);
        if !text.is_empty() {
            self.chat.show(view::delta(id, text));
        }
    }

    /// A workflow that has no money, or no key, is over; after another failure it goes on.
    fn turned(&mut self, state: TurnState, code: Option<Code>, message: Option<String>) {
        self.failed = None;
        if state == TurnState::Started {
            return;
        }
        if let Some(agent) = &self.agent {
            agent.broker().forgive();
        }
        self.over = Some(state);
        self.desk.count();
        let why = message.unwrap_or_else(|| "The agent failed.".to_owned());
        match code {
            Some(Code::BudgetExceeded) => self.desk.end_workflow(2, &why, None),
            Some(Code::AuthRejected) => self.desk.end_workflow(4, &why, None),
            _ if state == TurnState::Failed => {
                self.failed = Some((Instant::now() + AFTER_FAILURE, why));
            }
            _ => {}
        }
    }

    /// The program may do as much as the workflow, which begins and ends under it.
    async fn limit(&mut self) {
        if self.listens()
            && let Some(line) = self.conversation.limit(self.desk.autonomy())
        {
            self.write(line).await;
        }
    }

    async fn obey(&mut self, wish: Wish) {
        match wish {
            Wish::Say(said) => {
                if let Some(work) = &mut self.chat.known().work {
                    work.engine.forgive();
                }
                self.wake();
                self.queue.push_back(Words::of(said));
                self.pass_on().await;
            }
            Wish::Work { work_id, plan } => {
                // It may have ended before the agent heard of it.
                let is_open = |work: &Work| work.id == work_id;
                if !self.chat.known().work.as_ref().is_some_and(is_open) {
                    return;
                }
                self.wake();
                self.fetch(work_id, plan, false);
            }
            Wish::Interrupt => match self.conversation.interrupt() {
                Some(line) => {
                    self.write(line).await;
                    self.desk.withdraw();
                }
                None if self.conversation.is_about_to_begin() => self.desk.withdraw(),
                None if !self.conversation.in_turn() => {
                    self.desk.withdraw();
                    // The agent has not heard of it, and need not.
                    self.forget_work();
                    self.desk.end_workflow(3, "Somebody cancelled the workflow.", None);
                }
                None => {}
            },
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
