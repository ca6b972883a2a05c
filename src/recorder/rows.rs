//! What the archive keeps of an object beside its messages. Pure.

use fabrica_crds::parts::Usage as Used;
use fabrica_crds::run::Phase;
use fabrica_crds::time::from_kubernetes;
use fabrica_crds::{Run, Session, names};
use fabrica_store::{Object, Usage};
use kube::ResourceExt;
use serde_json::Value;
use uuid::Uuid;

/// What the archive keeps of an object beside its messages.
#[derive(Debug, Clone)]
pub struct Row {
    pub(super) object: Object,
    pub(super) spec: Value,
    /// By the number of the journal that told it.
    pub(super) usage: Vec<(u32, Usage)>,
}

/// An object whose pods have journals: a Run, or a Session in mode Chat.
pub trait Journaled {
    /// Its UID; none when it has none that is one.
    fn id(&self) -> Option<Uuid>;

    /// What is kept of it.
    fn row(&self) -> Option<Row>;

    /// Whether it has ended for good: nothing goes on from a checkpoint of it.
    fn has_ended(&self) -> bool;
}

impl Journaled for Run {
    fn id(&self) -> Option<Uuid> {
        uid(self)
    }

    fn row(&self) -> Option<Row> {
        let spec = serde_json::to_value(&self.spec).unwrap_or_default();
        Some(Row { object: object(self)?, spec, usage: usage(self) })
    }

    fn has_ended(&self) -> bool {
        self.status.as_ref().and_then(|status| status.phase).is_some_and(Phase::is_final)
    }
}

impl Journaled for Session {
    fn id(&self) -> Option<Uuid> {
        uid(self)
    }

    fn row(&self) -> Option<Row> {
        let spec = serde_json::to_value(&self.spec).unwrap_or_default();
        let conversation = self.status.as_ref().and_then(|status| status.conversation.as_ref());
        let used = conversation.and_then(|conversation| {
            let number = u32::try_from(conversation.number).ok()?;
            Some((number, of(conversation.usage.as_ref()?)))
        });
        Some(Row { object: session(self)?, spec, usage: used.into_iter().collect() })
    }

    fn has_ended(&self) -> bool {
        false
    }
}

fn uid(object: &impl ResourceExt) -> Option<Uuid> {
    Uuid::parse_str(object.meta().uid.as_deref()?).ok()
}

fn session(session: &Session) -> Option<Object> {
    let whole = session.status.as_ref().and_then(|status| serde_json::to_value(status).ok());
    let status = session.status.clone().unwrap_or_default();
    let phase = status.phase.map_or_else(|| "Pending".to_owned(), |phase| format!("{phase:?}"));
    Some(Object {
        uid: uid(session)?,
        kind: "Session".to_owned(),
        namespace: session.namespace().unwrap_or_default(),
        name: session.name_any(),
        owner: session.spec.owner.clone(),
        parent: None,
        phase,
        branch: Some(names::run_branch(&session.uid().unwrap_or_default())),
        commit: None,
        pull_request_url: status.pull_request_url,
        estimated_cost_usd: status.usage.map(|usage| usage.estimated_cost_usd),
        status: whole,
        created_at: session.creation_timestamp().as_ref().map(from_kubernetes).unwrap_or_default(),
        started_at: status.started_at.as_ref().map(from_kubernetes),
        finished_at: None,
        deleted_at: None,
    })
}

/// The Run's row.
fn object(run: &Run) -> Option<Object> {
    let whole = run.status.as_ref().and_then(|status| serde_json::to_value(status).ok());
    let status = run.status.clone().unwrap_or_default();
    let phase = status.phase.map_or_else(|| "Pending".to_owned(), |phase| format!("{phase:?}"));
    Some(Object {
        uid: uid(run)?,
        kind: "Run".to_owned(),
        namespace: run.namespace().unwrap_or_default(),
        name: run.name_any(),
        owner: run.spec.owner.clone(),
        parent: None,
        phase,
        branch: status.branch,
        commit: status.commit,
        pull_request_url: status.pull_request_url,
        estimated_cost_usd: status.usage.map(|usage| usage.estimated_cost_usd),
        status: whole,
        created_at: run.creation_timestamp().as_ref().map(from_kubernetes).unwrap_or_default(),
        started_at: status.started_at.as_ref().map(from_kubernetes),
        finished_at: status.finished_at.as_ref().map(from_kubernetes),
        deleted_at: None,
    })
}

/// What each attempt used.
fn usage(run: &Run) -> Vec<(u32, Usage)> {
    let attempts = run.status.iter().flat_map(|status| &status.attempts);
    attempts
        .filter_map(|attempt| {
            let used = attempt.usage.as_ref()?;
            Some((u32::try_from(attempt.number).ok()?, of(used)))
        })
        .collect()
}

fn of(used: &Used) -> Usage {
    Usage {
        input_tokens: used.input_tokens.unsigned_abs(),
        output_tokens: used.output_tokens.unsigned_abs(),
        cache_read_tokens: used.cache_read_tokens.unsigned_abs(),
        cache_write_tokens: used.cache_write_tokens.unsigned_abs(),
        estimated_cost_usd: used.estimated_cost_usd.clone(),
    }
}
