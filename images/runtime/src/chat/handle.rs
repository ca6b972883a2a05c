//! What the doors, the tools and the agent's life share: the journal, who is connected, and what people want.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use fabrica_protocol::chat::{AgentState, Body, QUEUED};
use fabrica_protocol::run::{Answer, Autonomy, Code, Entry, Record, Spent};
use fabrica_protocol::runtime::EventType;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;

use super::clients::Clients;
use super::counters::Counters;
use super::known::{Known, Said};
use super::purse::Purse;
use crate::children;
use crate::config::{ChatConfig, Config};
use crate::journal::Journal as Steps;
use crate::run::journal::{Journal, JournalError, UNACKNOWLEDGED_BYTES, about};
use crate::run::questions::Questions;

/// Pieces of a text that a client may be late by; then it misses some, and the whole text follows.
const LIVE: usize = 256;
const FULL: &str =
    "The workspace is full, or cannot be written: make room in a terminal, then send this again.";
/// Wishes on their way: messages, and as many others beside them.
const WISHES: usize = 2 * QUEUED;

/// What people want of the agent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Say(Said),
    /// Work an item through the phases: it was written down already.
    Work {
        work_id: String,
        plan: Option<String>,
    },
    Interrupt,
}

/// Why a client does not get what it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub code: Code,
    pub message: String,
}

impl Refused {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// How the agent stands, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) state: AgentState,
    pub(crate) message: Option<String>,
}

/// What is shown while it happens: after which record, and when.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) seq: u64,
    pub(crate) time: DateTime<Utc>,
    pub(crate) body: Body,
}

/// A conversation.
#[derive(Debug)]
pub struct Chat {
    pub settings: ChatConfig,
    pub journal: Arc<Journal>,
    pub questions: Arc<Questions>,
    /// Names the journal for clients.
    pub id: String,
    /// Names the journal for the operator.
    pub number: u32,
    /// Whether nothing is left of the pods before.
    pub(crate) is_anew: bool,
    pub(crate) counters: Arc<Counters>,
    /// Whether a former process began it.
    pub is_found: bool,
    pub(crate) purse: Purse,
    known: Mutex<Known>,
    wishes: mpsc::Sender<Wish>,
    wanted: Mutex<Option<mpsc::Receiver<Wish>>>,
    live: broadcast::Sender<Live>,
    standing: watch::Sender<Standing>,
    pub clients: Clients,
}

impl Chat {
    /// The conversation that a Chat's pod is for; nothing in another pod.
    pub fn open(config: &Config) -> Result<Option<Arc<Self>>, JournalError> {
        let Some(settings) = config.chat.clone() else { return Ok(None) };
        children::adopt_orphans().map_err(JournalError::Adopt)?;
        let folder = config.workspace.join(".fabrica");
        let number = former(&folder, settings.attempt).unwrap_or(settings.attempt);
        let path = folder.join(format!("journal-{number}.ndjson"));
        let journal = Journal::open(&path, config.secrets.clone(), UNACKNOWLEDGED_BYTES)?;
        let journal = Arc::new(journal);
        Ok(Some(Self::over(&config.session_id, settings, number, journal, None)))
    }

    /// The same conversation, when its agent begins anew with these settings.
    pub fn again(&self, config: &Config) -> Option<Arc<Self>> {
        let (settings, journal) = (config.chat.clone()?, self.journal.clone());
        Some(Self::over(&config.session_id, settings, self.number, journal, Some(self)))
    }

    /// `former` knows what this process saw used up: of what the file says of that, the agent may have changed anything.
    fn over(
        session: &str,
        settings: ChatConfig,
        number: u32,
        journal: Arc<Journal>,
        former: Option<&Self>,
    ) -> Arc<Self> {
        let mut known = Known::new(settings.autonomy);
        for_each(&journal, 0, |record| known.learn(&record.entry));
        let is_anew = settings.attempt > 1 && *journal.watch().borrow() == 0;
        let questions = Arc::<Questions>::default();
        for (question, answer) in known.questions.values() {
            questions.restore(question, answer.as_ref());
        }
        let spent = former.map(|former| former.purse.all());
        let purse = Purse::new(spent.unwrap_or_else(|| known.usage.clone()));
        let left = left(&known);
        let is_found = *journal.watch().borrow() > 0;
        let (wishes, wanted) = mpsc::channel(WISHES + left.len());
        for wish in left {
            // There is room for each of them.
            let _ = wishes.try_send(wish);
        }
        Arc::new(Self {
            id: name(session, number, "journal").to_string(),
            number,
            is_anew,
            settings,
            counters: former.map(|former| former.counters.clone()).unwrap_or_default(),
            journal,
            questions,
            is_found,
            purse,
            known: Mutex::new(known),
            wishes,
            wanted: Mutex::new(Some(wanted)),
            live: broadcast::Sender::new(LIVE),
            standing: watch::Sender::new(Standing::default()),
            clients: Clients::default(),
        })
    }

    /// Start steps that become records.
    pub fn steps(&self) -> Steps {
        Steps::passing_to(self.journal.clone())
    }

    /// Writes down what has happened; whatever becomes of the record, it is known.
    pub(crate) fn tell(&self, entry: Entry) -> Option<u64> {
        self.known().learn(&entry);
        self.journal.write(entry)
    }

    /// Everything up to a record is kept elsewhere, by whoever saw so much used up. Where the journal knows less, it says so.
    pub fn keep(&self, seq: u64, spent: Option<&Spent>) {
        let newest = self.newest();
        if seq > newest {
            self.journal.fill(seq);
            let text = format!(
                "The records {} to {seq} were seen, and are not in the file any more: something in the pod removed them.",
                newest + 1
            );
            self.tell(about(EventType::Failed, &text));
        }
        self.journal.acknowledge(seq);
        if let Some(words) = spent.and_then(|spent| self.purse.hear(spent)) {
            self.tell(about(EventType::Failed, &words));
        }
    }

    /// Shows something that is not written down.
    pub(crate) fn show(&self, body: Body) {
        // Nobody may be there to see it.
        let _ = self.live.send(Live { seq: self.newest(), time: Utc::now(), body });
    }

    pub(crate) fn stand(&self, state: AgentState, message: Option<String>) {
        let standing = Standing { state, message };
        self.standing.send_if_modified(|known| {
            let is_new = *known != standing;
            *known = standing;
            is_new
        });
    }

    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    pub(crate) fn live(&self) -> broadcast::Receiver<Live> {
        self.live.subscribe()
    }

    pub(crate) fn newest(&self) -> u64 {
        *self.journal.watch().borrow()
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        guard(&self.known)
    }

    /// What people want, for the one who does it.
    pub(crate) fn wanted(&self) -> Option<mpsc::Receiver<Wish>> {
        guard(&self.wanted).take()
    }

    /// Whether the agent is at work.
    pub fn is_busy(&self) -> bool {
        matches!(self.standing.borrow().state, AgentState::Working | AgentState::Restarting)
    }
}

/// What clients want.
impl Chat {
    /// Somebody speaks.
    pub fn say(
        &self,
        author: &str,
        id: String,
        content: String,
        command: bool,
    ) -> Result<(), Refused> {
        let place = self.place()?;
        let came = Instant::now();
        let (author, text) = (author.to_owned(), content.clone());
        self.tell_if(&Entry::Message { id: id.clone(), author, text, command }, |known| {
            is_new(known, &id)?;
            if known.waiting.len() < QUEUED {
                return Ok(());
            }
            let text = format!("{QUEUED} messages wait for the agent already: let it read some.");
            Err(Refused::new(Code::TooMany, text))
        })?;
        self.counters.came(&id, came);
        place.send(Wish::Say(Said { id, text: content, command }));
        Ok(())
    }

    /// Somebody wants an item worked.
    pub fn start_workflow(
        &self,
        author: &str,
        id: &str,
        work_id: String,
        plan: Option<String>,
        autonomy: Option<Autonomy>,
    ) -> Result<(), Refused> {
        let most = self.settings.autonomy;
        let autonomy = autonomy.unwrap_or(most);
        if autonomy > most {
            let text = "The Session's own autonomy, spec.autonomy, is less than that.";
            return Err(Refused::new(Code::Forbidden, text));
        }
        let place = self.place()?;
        let started = Entry::WorkflowStarted {
            work_id: work_id.clone(),
            autonomy,
            author: author.to_owned(),
            id: id.to_owned(),
            plan: plan.clone(),
        };
        self.tell_if(&started, |known| {
            is_new(known, id)?;
            if let Some(work) = &known.work {
                let text = format!("The agent works on {} already: one at a time.", work.id);
                return Err(Refused::new(Code::WorkflowRunning, text));
            }
            Ok(())
        })?;
        place.send(Wish::Work { work_id, plan });
        Ok(())
    }

    /// Somebody wants the agent to stop.
    pub fn interrupt(&self) -> Result<(), Refused> {
        self.place()?.send(Wish::Interrupt);
        Ok(())
    }

    /// Somebody answers a question.
    pub fn answer(&self, author: &str, id: String, text: String) -> Result<(), Refused> {
        if self.questions.asked(&id).is_none() {
            let text = format!("Nothing was asked under the id {id}.");
            return Err(Refused::new(Code::UnknownQuestion, text));
        }
        let by = |answer: Answer| match answer.answered_by.as_str() {
            "" => "It was answered before.".to_owned(),
            name => format!("{name} has answered before."),
        };
        if let Some(answer) = self.questions.answer(&id) {
            return Err(Refused::new(Code::AlreadyAnswered, by(answer)));
        }
        let answer = Answer { id, text, answered_by: author.to_owned() };
        let taken = self.questions.take(answer);
        taken.map_err(|error| Refused::new(Code::TooMany, error.to_string()))
    }

    /// Writes a record down, if what is known allows it: of two who ask at once, the second one knows of the first. What
    /// cannot be written is not taken: it would be gone with the pod, and nobody would have heard of that.
    fn tell_if(
        &self,
        entry: &Entry,
        allows: impl FnOnce(&mut Known) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let mut known = self.known();
        allows(&mut known)?;
        let written = self.journal.write(entry.clone());
        written.ok_or_else(|| Refused::new(Code::WorkspaceFull, FULL))?;
        known.learn(entry);
        Ok(())
    }

    fn place(&self) -> Result<Place<'_>, Refused> {
        let refused = |_| {
            let text = "Too much is wanted at once: try again in a moment.";
            Refused::new(Code::TooMany, text)
        };
        self.wishes.try_reserve().map(Place).map_err(refused)
    }
}

fn is_new(known: &Known, id: &str) -> Result<(), Refused> {
    if known.ids.contains(id) {
        let text = format!("A message of the id {id} was taken before: that one stands.");
        return Err(Refused::new(Code::Duplicate, text));
    }
    Ok(())
}

/// Room for a wish, so that what was written down is also done.
struct Place<'a>(mpsc::Permit<'a, Wish>);

impl Place<'_> {
    fn send(self, wish: Wish) {
        self.0.send(wish);
    }
}

/// What a former process was asked for and did not do: an item that the agent was not told of, and what it has not read.
fn left(known: &Known) -> Vec<Wish> {
    let work = known.work.as_ref().filter(|work| !work.is_begun);
    let work = work.map(|work| Wish::Work { work_id: work.id.clone(), plan: work.plan.clone() });
    let said = known.waiting.iter().cloned().map(Wish::Say);
    work.into_iter().chain(said).collect()
}

/// Reads all records after one; the number of the last.
pub(super) fn for_each(journal: &Journal, mut after: u64, mut each: impl FnMut(Record)) -> u64 {
    loop {
        let (last, lines) = journal.lines(after);
        if last == after {
            return last;
        }
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if let Ok(record) = serde_json::from_slice(line) {
                each(record);
            }
        }
        after = last;
    }
}

/// The number of the journal that lies in a volume from before.
pub(super) fn former(folder: &Path, newest: u32) -> Option<u32> {
    let files = std::fs::read_dir(folder).ok()?.flatten();
    let number =
        |name: String| name.strip_prefix("journal-")?.strip_suffix(".ndjson")?.parse::<u32>().ok();
    let numbers = files.filter_map(|file| number(file.file_name().into_string().ok()?));
    numbers.filter(|number| *number <= newest).max()
}

/// An id that follows from what it names, so that another process finds the same.
pub(crate) fn name(session: &str, number: u32, what: &str) -> uuid::Uuid {
    let text = format!("{session}/{number}/{what}");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
