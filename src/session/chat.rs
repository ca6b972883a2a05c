//! What a Chat has that a Terminal has not: a conversation, read from its runtime's journal, and answers to its questions.

mod account;
mod quiet;
mod start;
mod talk;

use std::time::Duration;

use chrono::{DateTime, Utc};
use fabrica_crds::session::Mode;
use fabrica_crds::{Session, SessionStatus};
use fabrica_protocol::run::Spent;
use fabrica_protocol::runtime::Idle;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::Context;
use crate::children::reading::read;
use crate::children::state::container_runs;
use crate::controller::error_chain;
use crate::telemetry::Watched;

use account::Account;
pub(super) use quiet::only_talk;
pub(super) use start::{AGENT_STATE, ATTEMPT, Start};
pub(super) use talk::Talk;

/// Whether somebody talks to an agent here.
pub(super) fn is_chat(session: &Session) -> bool {
    session.spec.mode == Mode::Chat
}

/// Whether an agent works here, may, or did.
pub(super) fn has_agent(session: &Session) -> bool {
    let did = session.status.as_ref().is_some_and(|status| status.starts.is_some());
    is_chat(session) || session.spec.agent_state.is_some() || did
}

/// What is known of a Chat beside its status. Whoever forgets it reads the journal again.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Which pod was read, by its UID, and its journal's number.
    journal: Option<(String, u32)>,
    /// The last record that was read.
    read: u64,
    talk: Talk,
    /// Since when the runtime lives: one that is started again reads its file again.
    started: Option<DateTime<Utc>>,
    account: Account,
    /// What the pod has used up, which its runtime is told.
    pub(super) spent: Spent,
    /// The last record that its runtime knows to be kept.
    pub(super) acknowledged: u64,
    /// When the status was last written.
    pub(super) written: Option<DateTime<Utc>>,
    /// How many starts there were: the store may show the status of a moment ago.
    pub(super) starts: i32,
}

/// What a Chat's runtime told until now.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// The pod's UID.
    pub(super) pod: String,
    pub(super) address: String,
    /// Of the journal.
    pub(super) number: u32,
    /// The last record that was read, and whether it is the last there is.
    pub(super) last: u64,
    pub(super) whole: bool,
    pub(super) talk: Talk,
}

/// The runtime's own words. One that cannot be reached is no error: the pod's state says why.
pub(super) async fn ask(
    context: &Context,
    session: &Session,
    pod: &Pod,
) -> Option<(Idle, Option<Told>)> {
    /// A runtime that is only just starting must not hold the pass up.
    const PATIENCE: Duration = Duration::from_secs(1);
    if !container_runs(pod) {
        return None;
    }
    let address = pod.status.as_ref()?.pod_ip.clone()?;
    let (uid, pod) = (session.uid()?, pod.uid()?);
    let idle = match tokio::time::timeout(PATIENCE, context.runtimes.idle(&address, &uid)).await {
        Ok(Ok(idle)) => idle,
        Ok(Err(error)) => {
            tracing::debug!(error = error_chain(&error), "the runtime cannot be asked");
            return None;
        }
        Err(_) => return None,
    };
    let Some(number) = idle.journal else { return Some((idle, None)) };
    let from = context.remember(session, |memory| memory.open(session, &pod, &idle));
    let (watched, named) = (Watched::of(session, session.spec.mode), number.to_string());
    let whole = read(&context.runtimes, &address, &uid, from, |records| {
        context.telemetry.told(&watched, &named, &records);
        context.remember(session, |memory| {
            for record in &records {
                memory.read = record.seq;
                memory.talk.add(record);
            }
        });
    });
    let whole = whole.await;
    let (last, talk) = context.remember(session, |memory| (memory.read, memory.talk.clone()));
    Some((idle, Some(Told { pod, address, number, last, whole, talk })))
}

impl Memory {
    /// Which journal was read, by its number, and up to which record.
    pub(super) fn told(&self) -> Option<(u32, u64)> {
        self.journal.as_ref().map(|(_, number)| (*number, self.read))
    }

    /// The journal of this pod; where reading it goes on. What is known of another one is forgotten, but for what was used up.
    fn open(&mut self, session: &Session, pod: &str, idle: &Idle) -> u64 {
        let number = idle.journal.unwrap_or_default();
        let journal = Some((pod.to_owned(), number));
        if self.journal != journal {
            let is_same_pod = self.journal.as_ref().is_some_and(|(known, _)| known == pod);
            let account = if is_same_pod {
                self.account.turn_page(&self.talk);
                std::mem::take(&mut self.account)
            } else {
                let goes_on = session.spec.workspace.is_some();
                Account::open(session.status.as_ref(), number, goes_on)
            };
            let (written, starts) = (self.written, self.starts);
            *self = Self { journal, account, written, starts, ..Self::default() };
        }
        if self.started.replace(idle.started_at) != Some(idle.started_at) {
            self.acknowledged = 0;
        }
        self.read
    }

    /// What the pod has used up by now, when all of the Session's conversations have used so much.
    pub(super) fn count(&mut self, status: &SessionStatus) -> Spent {
        self.spent = self.account.spent(status.usage.as_ref(), &self.talk);
        self.spent.clone()
    }
}
