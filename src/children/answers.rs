//! Answers in a spec that no question waits for: whoever wrote one is told, once.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use fabrica_crds::Reason;
use fabrica_crds::parts::{Answer, Message, MessageType};
use kube::runtime::events::{Event, EventType};

use super::announce::event;
use super::messages;

/// The ids of the answers that were looked at, by the UID of their object. Whoever forgets them takes what is there for looked at:
/// nobody is warned of an answer that was good when it was given.
#[derive(Debug, Default)]
pub(crate) struct Looked(Mutex<HashMap<String, HashSet<String>>>);

/// What a pass found in a spec's answers.
#[derive(Debug, Default)]
pub(crate) struct Found {
    ids: HashSet<String>,
    /// Of new answers whose questions are not open, in a sentence.
    stray: Option<String>,
}

impl Looked {
    /// Looks at an object's answers. One without a status is seen for the first time.
    pub(crate) fn look(
        &self,
        uid: &str,
        has_status: bool,
        answers: &[Answer],
        asked: &[&str],
        waits: &[&str],
    ) -> Found {
        let ids: HashSet<String> = answers.iter().map(|answer| answer.id.clone()).collect();
        let known = self.guard();
        let is_new = |id: &&str| match known.get(uid) {
            Some(known) => !known.contains(*id),
            None => !has_status,
        };
        let strays = answers.iter().map(|answer| &*answer.id).filter(is_new);
        let strays: Vec<&str> = strays.filter(|id| !asked.contains(id)).collect();
        let waits: Vec<&str> = waits.iter().copied().filter(|id| !ids.contains(*id)).collect();
        let stray = (!strays.is_empty()).then(|| words(&strays, &waits));
        Found { ids, stray }
    }

    /// Remembers what was looked at, once it is told; of objects that are gone nothing.
    pub(crate) fn keep(&self, uid: String, found: Found, living: impl FnOnce() -> HashSet<String>) {
        let mut known = self.guard();
        if !known.contains_key(&uid) {
            let living = living();
            known.retain(|uid, _| living.contains(uid));
        }
        known.insert(uid, found.ids);
    }

    fn guard(&self) -> MutexGuard<'_, HashMap<String, HashSet<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Found {
    /// The Event that tells it.
    pub(crate) fn event(&self) -> Option<Event> {
        let words = self.stray.as_deref()?;
        Some(event(EventType::Warning, Reason::QuestionUnknown.as_str(), words))
    }

    /// Says it among the messages of a status, too.
    pub(crate) fn note(&self, all: &mut Vec<Message>, now: DateTime<Utc>) {
        if let Some(words) = &self.stray {
            messages::push(all, MessageType::Notice, words, now);
        }
    }
}

fn words(strays: &[&str], waits: &[&str]) -> String {
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
        let found = looked.look("uid", false, &answers(given), open, open);
        assert_eq!(found.stray.as_deref(), expected);
    }

    #[test]
    fn it_is_told_once_and_good_ones_never() {
        let looked = Looked::default();
        let living = || HashSet::from(["uid".to_owned()]);
        let look =
            |ids: &[&str], open: &[&str]| looked.look("uid", true, &answers(ids), open, open);
        // An operator that has just started does not know what was asked before.
        let found = look(&["a"], &[]);
        assert_eq!(found.stray, None);
        looked.keep("uid".to_owned(), found, living);
        let found = look(&["a", "b"], &["c"]);
        assert!(found.stray.as_deref().unwrap().contains("answer to b,"), "{found:?}");
        assert!(look(&["a", "b"], &["c"]).stray.is_some(), "until it is told");
        looked.keep("uid".to_owned(), found, living);
        assert_eq!(look(&["a", "b"], &["c"]).stray, None);
        let found = look(&["a", "b", "c"], &["c"]);
        looked.keep("uid".to_owned(), found, living);
        assert_eq!(look(&["a", "b", "c"], &[]).stray, None, "it was good when it was given");
        looked.keep("other".to_owned(), Found::default(), HashSet::new);
        assert_eq!(looked.guard().len(), 1, "what is gone is forgotten");
    }
}
