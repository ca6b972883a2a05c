//! Claude Code works on the plan: the real CLI, over its stream of JSON lines. It asks its model through our broker and
//! has our tools; it holds no key of anybody.

pub(crate) mod conversation;
mod crash;
mod held;
pub(crate) mod launch;
pub(crate) mod outcome;
pub(crate) mod process;
pub(crate) mod servers;
mod session;
pub(crate) mod spending;
pub(crate) mod stream;
pub(crate) mod watch;
pub(crate) mod words;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use fabrica_protocol::run::{Entry, Question, Usage};
use tokio::time::Instant;
use uuid::Uuid;

use self::conversation::{Conversation, Step};
use self::crash::Crashes;
use self::held::{Calls, Held};
use self::launch::{Begin, Doors};
use self::process::Process;
use super::consult::Router;
use super::driver::{self, Completion, Driver, DriverError, Failure, Place};
use super::faber::Faber;
use super::kept::Conversation as Kept;
use super::questions::Questions;
use super::shelf::Former;
use crate::broker::Broker;
use crate::broker::ledger::Spent;
use crate::config::AgentConfig;
use crate::journal::Journal as Steps;

/// One that has ended its work goes within this time: it writes its own records down.
const FAREWELL: Duration = Duration::from_secs(5);
/// One that is told to go gets this long: it ends a tool's processes first.
const GRACE: Duration = Duration::from_secs(2);
/// What models were used for is told at most this often, while it grows.
const USAGE_PERIOD: Duration = Duration::from_secs(5);

/// Claude Code and what it needs of us.
pub(super) struct Claude {
    settings: AgentConfig,
    steps: Arc<Steps>,
    broker: Option<Arc<Broker>>,
    faber: Option<Faber>,
    work: Option<Work>,
    /// The CLI's own id of the conversation.
    session: Uuid,
    conversation: Conversation,
    calls: Calls,
    /// What it was parked with.
    parked: Option<Question>,
    told: VecDeque<Entry>,
    crashes: Crashes,
    /// How it ended, once it did.
    end: Option<Result<(), Failure>>,
    /// Answers that were told of, and when.
    counted: (u64, Option<Instant>),
    completion: Option<Completion>,
}

/// While the CLI runs.
struct Work {
    process: Process,
    /// When the CLI last said something.
    heard: Instant,
}

/// What comes next.
enum Event {
    Line(Vec<u8>),
    Gone,
    Told(Entry),
    Held(Held),
    Silent,
}

impl Claude {
    pub(super) fn new(
        settings: &AgentConfig,
        steps: Arc<Steps>,
        questions: Arc<Questions>,
        hold: Duration,
    ) -> Self {
        Self {
            settings: settings.clone(),
            steps,
            broker: None,
            faber: None,
            work: None,
            session: Uuid::new_v4(),
            conversation: Conversation::default(),
            calls: Calls::new(questions, hold),
            parked: None,
            told: VecDeque::new(),
            crashes: Crashes::default(),
            end: None,
            counted: (0, None),
            completion: None,
        }
    }

    async fn event(&mut self) -> Event {
        let (Some(work), Some(faber)) = (&mut self.work, &mut self.faber) else {
            return Event::Gone;
        };
        let limit = watch::limit(self.conversation.waiting(), self.settings.silence);
        let silent = async {
            match limit {
                Some(limit) => tokio::time::sleep_until(work.heard + limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(entry) = faber.entry() => Event::Told(entry),
            line = work.process.line() => line.map_or(Event::Gone, Event::Line),
            held = self.calls.next() => Event::Held(held),
            () = silent => Event::Silent,
        }
    }

    async fn take(&mut self, event: Event) {
        let refusal = self.broker.as_ref().and_then(|broker| broker.refusal());
        let steps = match event {
            Event::Told(entry) => vec![Step::Tell(entry)],
            Event::Line(line) => {
                if let Some(work) = &mut self.work {
                    work.heard = Instant::now();
                }
                self.conversation.hear(stream::parse(&line), refusal.as_ref())
            }
            Event::Held(Held::Answered(answer)) => {
                self.calls.questions().close(&answer.id, Instant::now());
                self.conversation.answered(answer)
            }
            Event::Held(Held::Over(call)) => self.conversation.over(&call),
            Event::Silent => {
                if let Some(work) = &mut self.work {
                    work.heard = Instant::now();
                }
                self.conversation.silent(self.settings.silence)
            }
            Event::Gone => {
                let (how, words) = self.last_words().await;
                let end = self.conversation.gone(&how, &words, refusal.as_ref());
                if self.crash(&end, refusal.is_some()) { vec![] } else { vec![Step::End(end)] }
            }
        };
        for step in steps {
            match step {
                Step::Tell(entry) => self.told.push_back(entry),
                Step::Write(line) => {
                    if let Some(work) = &self.work {
                        work.process.write(line).await;
                    }
                }
                Step::Ask(question) => self.ask(question),
                Step::Park(call) => self.park(&call),
                Step::End(end) => self.end = Some(end),
            }
        }
        let now = Instant::now();
        if self.counted.1.is_none_or(|last| now.duration_since(last) >= USAGE_PERIOD) {
            let grown = self.grown();
            self.told.extend(grown);
        }
    }

    fn ask(&mut self, question: Question) {
        let is_new = self.calls.questions().ask(&question, Instant::now());
        self.calls.hold(question.id.clone());
        if is_new {
            self.told.push_back(Entry::Question(question));
        }
    }

    /// A call of somebody else's would never be answered.
    fn park(&mut self, call: &str) {
        self.parked = self.calls.questions().asked(call);
        if self.parked.is_none() {
            let message = "The agent put a call off that asks nothing.";
            self.end = Some(Err(Failure::passing("AgentFailed", message)));
        }
    }

    /// What was used up, when it is more than was told.
    fn grown(&mut self) -> Option<Entry> {
        let broker = self.broker.as_ref()?;
        let answers = broker.ledger().answers();
        if answers == self.counted.0 {
            return None;
        }
        self.counted = (answers, Some(Instant::now()));
        self.usage().map(Entry::Usage)
    }

    async fn last_words(&mut self) -> (String, String) {
        let Some(work) = &mut self.work else { return ("nothing".to_owned(), String::new()) };
        let status = work.process.finish(FAREWELL).await;
        let how = status.map_or_else(|| "a closed pipe".to_owned(), |status| status.to_string());
        (how, work.process.complaints())
    }

    /// Takes the CLI's end: what was told meanwhile counts, too.
    async fn close(&mut self, patience: Duration, politely: bool) {
        let Some(mut work) = self.work.take() else { return };
        if politely {
            work.process.finish(patience).await;
        } else {
            work.process.end(patience).await;
        }
        self.calls.clear();
        if let Some(faber) = &mut self.faber {
            self.told.extend(faber.told());
            self.completion = faber.completion();
        }
        let grown = self.grown();
        self.told.extend(grown);
    }
}

impl Claude {
    /// Starts the CLI.
    fn launch(&mut self, place: &Place<'_>, begin: Begin) -> Result<Work, Failure> {
        let program = launch::find(place.config, &self.settings)?;
        let (Some(broker), Some(faber)) = (&self.broker, &self.faber) else {
            return Err(Failure::passing("AgentFailed", "The agent was never started."));
        };
        let doors = Doors {
            model_url: broker.url(),
            model_key: broker.dummy_key(),
            tools: faber.servers(),
            tools_key: faber.key(),
            git: place.git,
        };
        let process =
            launch::prepare(place.config, &self.settings, &program, &doors, begin, launch::ALONE)
                .and_then(Process::start);
        let process = process.map_err(|error| failed("Claude Code cannot be started", &error))?;
        Ok(Work { process, heard: Instant::now() })
    }
}

fn failed(what: &str, error: &std::io::Error) -> Failure {
    Failure::passing("AgentFailed", format!("{what}: {error}."))
}

impl Driver for Claude {
    async fn start(
        &mut self,
        place: &Place<'_>,
        plan: &str,
        from: Option<&Former>,
    ) -> Result<(), DriverError> {
        launch::find(place.config, &self.settings)?;
        let broker = Arc::new(spending::open(&self.settings, Spent::default()).await?);
        self.broker = Some(broker.clone());
        let (steps, secrets) = (self.steps.clone(), place.config.secrets.clone());
        let router = Router { broker, steps, secrets };
        let faber = Faber::start(plan.to_owned(), self.calls.questions().clone(), router).await;
        let faber = faber.map_err(|error| failed("The agent's tools cannot be offered", &error))?;
        self.faber = Some(faber);
        let no_place = |error| failed("The agent has no place of its own", &error);
        launch::clear(place.config).map_err(no_place)?;
        if let Some(Former { id, file }) = from {
            self.session = *id;
            launch::put(place.config, *id, file).map_err(no_place)?;
        }
        let begin = if from.is_some() { Begin::Again } else { Begin::New };
        let work = self.launch(place, begin(self.session))?;
        work.process.write(launch::initialize()).await;
        let message = match from {
            None => Some(launch::task(plan)),
            // It asks about the call again by itself.
            Some(former) if session::is_deferred(&former.file) => None,
            Some(_) => Some(launch::AGAIN.to_owned()),
        };
        if let Some(message) = message {
            work.process.write(launch::message(&message)).await;
        }
        self.work = Some(work);
        Ok(())
    }

    async fn next(&mut self, place: &Place<'_>) -> Option<Result<driver::Event, DriverError>> {
        loop {
            if let Some(entry) = self.told.pop_front() {
                return Some(Ok(driver::Event::Told(entry)));
            }
            match &self.end {
                None if self.parked.is_some() && self.work.is_some() => {
                    self.close(FAREWELL, true).await;
                }
                None if let Some(question) = self.parked.take() => {
                    return Some(Ok(driver::Event::Parked(question)));
                }
                None if let Some(failure) = self.crashes.open() => {
                    self.end = self.go_on(place, failure).await.err().map(Err);
                }
                None => {
                    let event = self.event().await;
                    self.take(event).await;
                }
                Some(end) if self.work.is_some() => {
                    let politely = end.is_ok();
                    self.close(if politely { FAREWELL } else { GRACE }, politely).await;
                }
                Some(Ok(())) => return None,
                Some(Err(failure)) => {
                    let failure = failure.clone();
                    self.end = Some(Ok(()));
                    return Some(Err(failure.into()));
                }
            }
        }
    }

    async fn resume(&mut self, place: &Place<'_>) -> Result<(), DriverError> {
        self.conversation.resumed();
        let work = self.launch(place, Begin::Again(self.session))?;
        // It asks about the call again by itself.
        work.process.write(launch::initialize()).await;
        self.work = Some(work);
        Ok(())
    }

    async fn stop(&mut self, _: &Place<'_>) -> Vec<Entry> {
        let unfinished: Vec<Entry> = self
            .conversation
            .unfinished()
            .map(|id| Entry::ToolFinished {
                id: id.clone(),
                output: String::new(),
                failed: true,
                duration_ms: None,
            })
            .collect();
        self.close(GRACE, false).await;
        let mut all: Vec<Entry> = self.told.drain(..).collect();
        all.extend(unfinished);
        all
    }

    fn conversation(&self, place: &Place<'_>) -> Option<Kept> {
        self.broker.as_ref()?;
        Some(launch::conversation(place.config, self.session))
    }

    fn completion(&self) -> Option<Completion> {
        self.completion.clone()
    }

    fn usage(&self) -> Option<Usage> {
        let ledger = self.broker.as_ref()?.ledger();
        (ledger.answers() > 0).then(|| spending::usage(&ledger))
    }
}
