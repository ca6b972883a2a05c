//! What a Chat's status says besides. Pure.

use fabrica_crds::condition::{Finding, find, shorten};
use fabrica_crds::session::{Conversation, Faber, PendingApproval};
use fabrica_crds::{Reason, SessionStatus};

use crate::children::messages::told;
use crate::children::usage::{dearer, sum, without};
use crate::session::chat::{Start, Talk, Told};
use crate::session::observe::Observed;
use crate::session::plan::{Applied, Intent, Outcome, Plan, Step};

/// Begins the ids of the questions that the runtime asks by itself.
const APPROVAL: &str = "approval-";

/// The longest question in a condition, in bytes: it stands in a column of a table.
const QUESTION_BYTES: usize = 200;

/// What `Ready` says of a Chat that is open: what it waits for, else what keeps its agent from working. While its runtime cannot
/// be read to the end, as before.
pub(super) fn say(observed: &Observed, before: &SessionStatus, ready: &mut Finding) {
    if ready.reason != Reason::Ready {
        return;
    }
    let Some(told) = observed.told.as_ref().filter(|told| told.whole) else {
        let old = find(&before.conditions, "Ready");
        if let Some(old) = old.filter(|old| old.reason == ready.reason.as_str()) {
            ready.message.clone_from(&old.message);
        }
        return;
    };
    if let Some(asked) = told.talk.open().first() {
        ready.message = waits(asked);
    } else if let Some(why) = observed.trouble() {
        ready.message = fails(why);
    }
}

/// An open question in a sentence.
pub(in crate::session) fn waits(asked: &PendingApproval) -> String {
    let question = asked.question.replace('\n', " ");
    format!("Waits for an answer: {}", shorten(question, QUESTION_BYTES))
}

/// An agent's trouble in a sentence.
pub(in crate::session) fn fails(why: &str) -> String {
    format!("The agent does not work: {}", why.replace('\n', " "))
}

/// Adds what the conversation told. In a part of a journal a question may stand without its answer, so nothing is made of
/// that.
pub(super) fn add(observed: &Observed, plan: &Plan<Applied>, status: &mut SessionStatus) {
    let here = observed.told.as_ref().and_then(|told| i32::try_from(told.number).ok());
    status.starts = starts(observed, plan).max(here).max(status.starts);
    if let Some(Told { number, talk, whole: true, .. }) = &observed.told {
        status.messages = told(&status.messages, talk.lines.iter().cloned());
        status.faber = talk.faber();
        status.pull_request_url.clone_from(&talk.pull_request_url);
        count(status, i32::try_from(*number).unwrap_or(i32::MAX), talk);
    }
    if matches!(plan.intent, Intent::Stop(_)) {
        forget_questions(status, observed.session.spec.workspace.is_some());
    }
}

/// Without a volume a conversation ends with its pod: nobody is there to hear an answer. Where it goes on, what the runtime
/// itself asked leave for is asked anew by the next one.
fn forget_questions(status: &mut SessionStatus, goes_on: bool) {
    let Some(mut faber) = status.faber.take() else { return };
    faber.pending_approvals.retain(|asked| goes_on && !asked.id.starts_with(APPROVAL));
    status.faber = (faber != Faber::default()).then_some(faber);
}

/// How many pods there were, with the one that this pass made.
fn starts(observed: &Observed, plan: &Plan<Applied>) -> Option<i32> {
    let made = match &plan.pod {
        Step::Create(pod) if plan.outcome == Outcome::Done => Some(&**pod),
        _ => None,
    };
    let there = observed.pod.as_ref().filter(|pod| observed.is_ours(pod));
    made.or(there).map(|pod| Start::of(pod).number).filter(|number| *number > 0)
}

/// What models were used for: this conversation's part of it is as its journal says, and that of former ones stays. A journal
/// that says less than before was changed in the pod.
fn count(status: &mut SessionStatus, number: i32, talk: &Talk) {
    let before = status.conversation.take().filter(|before| before.number == number);
    let counted = before.and_then(|before| before.usage);
    let own = dearer(counted.clone(), talk.usage.clone());
    let former = match (&status.usage, &counted) {
        (Some(total), Some(counted)) => Some(without(total, counted)),
        (total, _) => total.clone(),
    };
    let parts: Vec<_> = [&former, &own].into_iter().flatten().collect();
    status.usage = (!parts.is_empty()).then(|| sum(&parts));
    status.conversation = Some(Conversation { number, usage: own });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime_client::RuntimeView;
    use crate::session::build::tests::{defaults, session};
    use crate::session::plan::StopReason;
    use crate::session::report::report;
    use crate::session::report::tests::{applied, at, ready_pod};
    use rstest::rstest;
    use serde_json::json;

    fn talk(cost: &str) -> Talk {
        let mut talk = Talk::default();
        let record = json!({"seq": 1, "time": "2026-01-01T00:00:00Z", "kind": "usage",
            "models": {"m": {"input": 2, "output": 1, "cacheRead": 0, "cacheWrite": 0}}, "estimatedCostUSD": cost});
        talk.add(&serde_json::from_value(record).unwrap());
        talk
    }

    #[rstest]
    #[case::volume(json!({"mode": "Chat", "workspace": {"size": "1Gi"}}), StopReason::Suspended, &["a"])]
    #[case::none(json!({"mode": "Chat"}), StopReason::ShutdownTime, &[])]
    fn questions_of_a_stopped_chat_wait_in_its_volume(
        #[case] spec: serde_json::Value,
        #[case] reason: StopReason,
        #[case] open: &[&str],
    ) {
        let asked = |id| json!({"id": id, "kind": "Approval", "question": "b", "askedAt": "2026-01-01T00:00:00Z"});
        let faber =
            json!({"phase": "build", "pendingApprovals": [asked("a"), asked("approval-4f21")]});
        let mut status: SessionStatus =
            serde_json::from_value(json!({"phase": "Running", "faber": faber})).unwrap();
        let observed = Observed { session: session(spec), ..Observed::default() };
        add(&observed, &applied(Intent::Stop(reason)), &mut status);
        let faber = status.faber.unwrap();
        let left: Vec<&str> = faber.pending_approvals.iter().map(|asked| &*asked.id).collect();
        assert_eq!((faber.phase.as_deref(), &*left), (Some("build"), open));
    }

    /// What `Ready` says of a Chat whose journal says this, after it said that.
    fn ready_says(
        entries: &[serde_json::Value],
        whole: bool,
        before: &SessionStatus,
    ) -> SessionStatus {
        let mut talk = Talk::default();
        for (entry, seq) in entries.iter().zip(1_u64..) {
            let mut record = entry.clone();
            (record["seq"], record["time"]) = (json!(seq), json!(at(5).to_rfc3339()));
            talk.add(&serde_json::from_value(record).unwrap());
        }
        let told =
            Told { pod: "pod".to_owned(), address: String::new(), number: 1, last: 1, whole, talk };
        let idle = json!({"startedAt": at(0).to_rfc3339(), "lastActivityAt": at(0).to_rfc3339(), "busy": false, "clients": 0,
            "visibleClients": 0, "terminals": 0, "oomKills": 0, "reconnects": 0, "bytesIn": 0, "bytesOut": 0,
            "workspace": {"state": "None"}, "journal": 1});
        let idle = serde_json::from_value(idle).unwrap();
        let mut observed = Observed {
            session: session(json!({"mode": "Chat"})),
            pod: Some(ready_pod(0, "True")),
            runtime: Some(RuntimeView { events: Vec::new(), idle: Some(idle) }),
            told: Some(told),
            ..Observed::default()
        };
        observed.session.status = Some(before.clone());
        report(&observed, &applied(Intent::Run), &defaults(), at(9))
    }

    #[test]
    fn an_open_chat_says_what_it_waits_for_else_what_keeps_its_agent() {
        let asked = json!({"kind": "question", "id": "q", "questionKind": "clarification", "question": "Which\noil?", "options": []});
        let failed = json!({"kind": "turn", "state": "failed", "code": "auth_rejected", "message": "No key."});
        let both = [failed, asked];
        let message = |status: &SessionStatus| {
            let ready = find(&status.conditions, "Ready").unwrap();
            assert_eq!((&*ready.status, &*ready.reason), ("True", "Ready"));
            ready.message.clone()
        };
        let fresh = SessionStatus::default();
        assert_eq!(message(&ready_says(&[], true, &fresh)), "The chat is open.");
        let fails = ready_says(&both[..1], true, &fresh);
        assert_eq!(message(&fails), "The agent does not work: No key.");
        assert_eq!(
            message(&ready_says(&[], false, &fails)),
            message(&fails),
            "nobody knows better"
        );
        assert_eq!(message(&ready_says(&both, true, &fails)), "Waits for an answer: Which oil?");
    }

    #[test]
    fn usage_is_over_all_conversations_and_reading_twice_adds_nothing() {
        let mut status = SessionStatus::default();
        let costs =
            [(1, "0.1", "0.10"), (1, "0.3", "0.30"), (1, "0.2", "0.30"), (3, "0.2", "0.50")];
        for (number, cost, total) in costs {
            count(&mut status, number, &talk(cost));
            let usage = status.usage.as_ref().unwrap();
            assert_eq!(usage.estimated_cost_usd, total);
        }
        assert_eq!(status.usage.as_ref().unwrap().input_tokens, 4);
        count(&mut status, 4, &Talk::default());
        assert_eq!(status.usage.as_ref().unwrap().estimated_cost_usd, "0.50");
    }
}
