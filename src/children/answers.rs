//! Answers in a spec that no agent will hear: whoever wrote one is told, once.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use fabrica_crds::Reason;
use fabrica_crds::parts::{Answer, Message, MessageType};
use fabrica_protocol::run::Answer as Taken;
use kube::runtime::events::{Event, EventType};

use super::agent::{UNNAMED, as_told};
use super::announce::event;
use super::messages;

/// What was looked at, by the UID of its object. Whoever forgets it takes what is there for looked at: nobody is warned of an
/// answer that was good when it was given.
#[derive(Debug, Default)]
pub(crate) struct Looked(Mutex<HashMap<String, Seen>>);

/// The ids of the answers that were looked at.
#[derive(Debug, Default)]
struct Seen {
    all: HashSet<String>,
    /// Those whose questions were seen to have an answer: that may be another one, given after they were looked at.
    settled: HashSet<String>,
}

/// The questions of an object, as far as answers are compared with them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Questions<'a> {
    /// The ids of all that are open, or were a moment ago.
    pub(crate) asked: &'a [&'a str],
    /// Of those that wait for an answer now.
    pub(crate) waits: &'a [&'a str],
    /// What the agent took for answers.
    pub(crate) taken: &'a [&'a Taken],
}

/// What a pass found in a spec's answers.
#[derive(Debug, Default)]
pub(crate) struct Found {
    seen: Seen,
    /// Of new answers that no agent will hear, in sentences.
    words: Option<String>,
}

impl Looked {
    /// Looks at an object's answers. One without a status is seen for the first time.
    pub(crate) fn look(
        &self,
        uid: &str,
        has_status: bool,
        answers: &[Answer],
        questions: Questions<'_>,
    ) -> Found {
        let Questions { asked, waits, taken } = questions;
        let all: HashSet<String> = answers.iter().map(|answer| answer.id.clone()).collect();
        let known = self.guard();
        let known = known.get(uid);
        let is_first = known.is_none() && has_status;
        let seen = |of: fn(&Seen) -> &HashSet<String>, id: &str| {
            is_first || known.is_some_and(|known| of(known).contains(id))
        };
        let taken = |id: &str| taken.iter().copied().find(|taken| taken.id == id);
        let mut settled = HashSet::new();
        let (mut words, mut strays) = (Vec::new(), Vec::new());
        for answer in answers {
            let id = &*answer.id;
            match taken(id) {
                Some(taken) if *taken != as_told(answer) && !seen(|it| &it.settled, id) => {
                    words.push(late(taken));
                }
                None if !asked.contains(&id) && !seen(|it| &it.all, id) => strays.push(id),
                _ => {}
            }
            let was_settled = known.is_some_and(|known| known.settled.contains(id));
            if was_settled || taken(id).is_some() || (is_first && !asked.contains(&id)) {
                settled.insert(id.to_owned());
            }
        }
        if !strays.is_empty() {
            let waits: Vec<&str> = waits.iter().copied().filter(|id| !all.contains(*id)).collect();
            words.push(unasked(&strays, &waits));
        }
        let words = Some(words.join(" ")).filter(|words| !words.is_empty());
        Found { seen: Seen { all, settled }, words }
    }

    /// Remembers what was looked at, once it is told; of objects that are gone nothing.
    pub(crate) fn keep(&self, uid: String, found: Found, living: impl FnOnce() -> HashSet<String>) {
        let mut known = self.guard();
        if !known.contains_key(&uid) {
            let living = living();
            known.retain(|uid, _| living.contains(uid));
        }
        known.insert(uid, found.seen);
    }

    fn guard(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Found {
    /// The Event that tells it.
    pub(crate) fn event(&self) -> Option<Event> {
        let words = self.words.as_deref()?;
        Some(event(EventType::Warning, Reason::QuestionUnknown.as_str(), words))
    }

    /// Says it among the messages of a status, too.
    pub(crate) fn note(&self, all: &mut Vec<Message>, now: DateTime<Utc>) {
        if let Some(words) = &self.words {
            messages::push(all, MessageType::Notice, words, now);
        }
    }
}

/// Somebody else was quicker.
fn late(taken: &Taken) -> String {
    let by = if taken.answered_by.is_empty() { UNNAMED } else { &taken.answered_by };
    format!(
        "spec.answers holds another answer to {} than the agent took: {by} answered before.",
        taken.id
    )
}

/// Nobody asked.
fn unasked(strays: &[&str], waits: &[&str]) -> String {
    let strays = strays.join(", ");
    let open = if waits.is_empty() {
        "No question waits for an answer.".to_owned()
    } else {
        format!("What waits for an answer is {}.", waits.join(", "))
    };
    format!("spec.answers holds an answer to {strays}, and no such question is open. {open}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NONE: &str = "spec.answers holds an answer to b, and no such question is open. No question waits for an answer.";
    const OTHER: &str = "spec.answers holds an answer to b, and no such question is open. What waits for an answer is a.";

    fn answers(ids: &[&str]) -> Vec<Answer> {
        let answer = |id: &&str| Answer { id: (*id).to_owned(), ..Answer::default() };
        ids.iter().map(answer).collect()
    }

    #[rstest]
    #[case::right(&["a"], &["a"], None)]
    #[case::too_late(&["b"], &[], Some(NONE))]
    #[case::another(&["b"], &["a"], Some(OTHER))]
    #[case::none(&[], &["a"], None)]
    fn a_new_answer_is_compared_with_what_is_open(
        #[case] given: &[&str],
        #[case] open: &[&str],
        #[case] expected: Option<&str>,
    ) {
        let looked = Looked::default();
        let questions = Questions { asked: open, waits: open, taken: &[] };
        let found = looked.look("uid", false, &answers(given), questions);
        assert_eq!(found.words.as_deref(), expected);
    }

    const LOST: &str =
        "spec.answers holds another answer to a than the agent took: bob answered before.";

    #[rstest]
    #[case::too_slow("bob", Some(LOST))]
    #[case::taken(UNNAMED, None)]
    fn whoever_was_too_slow_is_told_once_who_was_quicker(
        #[case] by: &str,
        #[case] told: Option<&str>,
    ) {
        let looked = Looked::default();
        let taken = |by: &str| Taken {
            id: "a".to_owned(),
            text: String::new(),
            answered_by: by.to_owned(),
        };
        let look = |asked: &[&str], taken: &[&Taken]| {
            let questions = Questions { asked, waits: asked, taken };
            let found = looked.look("uid", true, &answers(&["a"]), questions);
            let words = found.words.clone();
            looked.keep("uid".to_owned(), found, || HashSet::from(["uid".to_owned()]));
            words
        };
        assert_eq!(look(&["a"], &[]), None, "it was good when it was given");
        assert_eq!(look(&["a"], &[&taken(by)]).as_deref(), told);
        assert_eq!(look(&[], &[]), None, "its pod is not there for a moment");
        assert_eq!(look(&[], &[&taken(by)]), None);
        // Another operator.
        *looked.guard() = HashMap::new();
        assert_eq!(look(&[], &[]), None);
        assert_eq!(look(&[], &[&taken(by)]), None);
    }

    #[test]
    fn it_is_told_once_and_good_ones_never() {
        let looked = Looked::default();
        let living = || HashSet::from(["uid".to_owned()]);
        let look = |ids: &[&str], open: &[&str]| {
            let questions = Questions { asked: open, waits: open, taken: &[] };
            looked.look("uid", true, &answers(ids), questions)
        };
        // An operator that has just started does not know what was asked before.
        let found = look(&["a"], &[]);
        assert_eq!(found.words, None);
        looked.keep("uid".to_owned(), found, living);
        let found = look(&["a", "b"], &["c"]);
        assert!(found.words.as_deref().unwrap().contains("answer to b,"), "{found:?}");
        assert!(look(&["a", "b"], &["c"]).words.is_some(), "until it is told");
        looked.keep("uid".to_owned(), found, living);
        assert_eq!(look(&["a", "b"], &["c"]).words, None);
        let found = look(&["a", "b", "c"], &["c"]);
        looked.keep("uid".to_owned(), found, living);
        assert_eq!(look(&["a", "b", "c"], &[]).words, None, "it was good when it was given");
        looked.keep("other".to_owned(), Found::default(), HashSet::new);
        assert_eq!(looked.guard().len(), 1, "what is gone is forgotten");
    }
}
