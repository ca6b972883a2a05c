//! What the archive keeps of a Run beside its messages. Pure.

use fabrica_crds::Run;
use fabrica_crds::run::Usage as RunUsage;
use fabrica_crds::time::from_kubernetes;
use fabrica_store::{Object, Usage};
use kube::ResourceExt;
use uuid::Uuid;

/// The Run's row; `None` when it has no UID that is one.
pub(super) fn object(run: &Run) -> Option<Object> {
    let whole = run.status.as_ref().and_then(|status| serde_json::to_value(status).ok());
    let status = run.status.clone().unwrap_or_default();
    let phase = status.phase.map_or_else(|| "Pending".to_owned(), |phase| format!("{phase:?}"));
    Some(Object {
        uid: Uuid::parse_str(run.metadata.uid.as_deref()?).ok()?,
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
pub(super) fn usage(run: &Run) -> Vec<(u32, Usage)> {
    let attempts = run.status.iter().flat_map(|status| &status.attempts);
    attempts
        .filter_map(|attempt| {
            let used = attempt.usage.as_ref()?;
            Some((u32::try_from(attempt.number).ok()?, of(used)))
        })
        .collect()
}

fn of(used: &RunUsage) -> Usage {
    Usage {
        input_tokens: used.input_tokens.unsigned_abs(),
        output_tokens: used.output_tokens.unsigned_abs(),
        cache_read_tokens: used.cache_read_tokens.unsigned_abs(),
        cache_write_tokens: used.cache_write_tokens.unsigned_abs(),
        estimated_cost_usd: used.estimated_cost_usd.clone(),
    }
}
