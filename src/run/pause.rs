//! How long a service is left alone before another attempt asks it: the model's, the forge, the repository. Pure.

use chrono::{DateTime, Duration, Utc};
use fabrica_crds::run::Attempt;
use fabrica_crds::time::from_kubernetes;
use fabrica_crds::{Reason, RunSpec, RunStatus};

use super::escalation::used;

/// The agent's program has tried a model for about a minute by then, and a name that does not resolve has most often come back.
const FIRST: Duration = Duration::seconds(30);
/// With this one, the pauses between six attempts come to more than ten minutes: most outages are over by then.
const LONGEST: Duration = Duration::minutes(5);

/// Whether an attempt that ends so is worth little more right away. One that lost its pod is: the next has another.
pub(super) fn is_due_to_service(reason: Reason) -> bool {
    let of_forge = [
        Reason::CloneFailed,
        Reason::WorkItemFailed,
        Reason::ForgeUnusable,
        Reason::PushRejected,
        Reason::PullRequestFailed,
    ];
    is_due_to_model(reason) || reason == Reason::CheckpointMissing || of_forge.contains(&reason)
}

/// Whether it was the model's service.
pub(super) fn is_due_to_model(reason: Reason) -> bool {
    matches!(reason, Reason::RateLimited | Reason::ModelUnavailable)
}

/// From when on another attempt may follow those that have ended; none when none has.
pub(super) fn next_begins(status: &RunStatus, spec: &RunSpec) -> Option<DateTime<Utc>> {
    let ended = status.attempts.iter().rev().filter(|attempt| attempt.finished_at.is_some());
    let finished = from_kubernetes(ended.clone().next()?.finished_at.as_ref()?);
    let in_a_row = ended.take_while(|attempt| met_service(attempt)).count();
    // Who may work for a minute is not made to wait for five.
    let left = Duration::seconds(spec.deadline_seconds) - used(status, finished);
    Some(finished + pause(in_a_row).min(left).max(Duration::zero()))
}

fn met_service(attempt: &Attempt) -> bool {
    attempt.cause.as_deref().and_then(Reason::named).is_some_and(is_due_to_service)
}

/// After so many in a row.
fn pause(in_a_row: usize) -> Duration {
    let Some(doublings) = in_a_row.checked_sub(1) else { return Duration::zero() };
    let times = 2_i32.saturating_pow(u32::try_from(doublings).unwrap_or(u32::MAX));
    (FIRST * times).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::none(&[], 600, None)]
    #[case::the_agent(&["AgentFailed"], 600, Some(0))]
    #[case::once(&["RateLimited"], 600, Some(30))]
    #[case::either(&["ModelUnavailable", "RateLimited"], 600, Some(60))]
    #[case::no_network(&["CloneFailed", "CloneFailed", "CloneFailed"], 600, Some(120))]
    #[case::forge_and_model(&["PullRequestFailed", "RateLimited"], 600, Some(60))]
    #[case::a_lost_pod(&["CloneFailed", "PodLost"], 600, Some(0))]
    #[case::something_between(&["RateLimited", "AgentFailed", "RateLimited"], 600, Some(30))]
    #[case::fifth(&["RateLimited"; 5], 600, Some(300))]
    #[case::many(&["RateLimited"; 40], 4_000, Some(300))]
    #[case::little_time_left(&["RateLimited"], 30, Some(20))]
    #[case::no_time_left(&["RateLimited"], 10, Some(0))]
    fn pauses_double(
        #[case] causes: &[&str],
        #[case] deadline: i64,
        #[case] expected: Option<i64>,
    ) {
        let end = "2026-01-01T00:00:10Z";
        // Each has run for 10 s.
        let attempt = |cause: &&str| {
            json!({"number": 1, "podName": "r-run-1", "cause": cause,
            "startedAt": "2026-01-01T00:00:00Z", "finishedAt": end})
        };
        let attempts: Vec<_> = causes.iter().map(attempt).collect();
        let mut status: RunStatus = serde_json::from_value(json!({"attempts": attempts})).unwrap();
        // That the next one is in the status already changes nothing.
        status.attempts.push(Attempt::default());
        let spec = RunSpec { deadline_seconds: deadline, ..RunSpec::default() };
        let end = DateTime::parse_from_rfc3339(end).unwrap().to_utc();
        let found = next_begins(&status, &spec).map(|begins| (begins - end).num_seconds());
        assert_eq!(found, expected);
    }
}
