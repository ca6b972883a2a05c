//! The plan of a Run that refers to a ConfigMap: copied once, before the first attempt, into one that belongs to the Run and
//! never changes. So every attempt has the same plan, whatever becomes of the ConfigMap.

use fabrica_crds::{Run, names};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Client, ResourceExt};

use super::build;
use crate::children::apply::api;
use crate::children::{Step, is_ours, strange};

/// What there is of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Snapshot {
    /// Nobody needed to know.
    #[default]
    Unasked,
    /// What has the copy's name.
    Copy(Box<ConfigMap>),
    /// There is no copy: what the Run refers to.
    Source(Option<Box<ConfigMap>>),
}

/// Looks for the copy, and without one for what is to be copied.
pub(super) async fn look(client: &Client, run: &Run) -> Result<Snapshot, kube::Error> {
    let Some(reference) = &run.spec.plan_ref else { return Ok(Snapshot::Unasked) };
    let objects = api::<ConfigMap>(client, &run.namespace().unwrap_or_default());
    if let Some(copy) = objects.get_opt(&names::run_plan(&run.name_any())).await? {
        return Ok(Snapshot::Copy(Box::new(copy)));
    }
    Ok(Snapshot::Source(objects.get_opt(&reference.name).await?.map(Box::new)))
}

/// What to do about the copy.
pub(super) fn step(run: &Run, found: &Snapshot) -> Step<ConfigMap> {
    let Some(reference) = &run.spec.plan_ref else { return Step::Keep };
    let source = match found {
        Snapshot::Unasked => return Step::Keep,
        Snapshot::Copy(copy) if is_ours(run, &copy.metadata) => return Step::Keep,
        Snapshot::Copy(other) => return strange(run, &other.metadata),
        Snapshot::Source(_) if has_begun(run) => {
            let copy = names::run_plan(&run.name_any());
            return Step::Lack(format!(
                "The ConfigMap {copy}, which holds the plan as the first attempt had it, is gone. Make a new Run."
            ));
        }
        Snapshot::Source(source) => source,
    };
    let text = source.as_ref().and_then(|source| source.data.as_ref()?.get(&reference.key));
    let Some(text) = text else {
        let (name, key) = (&reference.name, &reference.key);
        let words = match source {
            Some(_) => format!("The ConfigMap {name} has no text under the key {key}"),
            None => format!("There is no ConfigMap {name}"),
        };
        return Step::Lack(format!(
            "{words}, which spec.planRef names. Create it; the Run then starts by itself."
        ));
    };
    Step::Create(Box::new(build::plan(run, reference, text.clone())))
}

/// Whether a pod can be given its plan.
pub(super) fn is_there(run: &Run, found: &Snapshot) -> bool {
    match found {
        Snapshot::Copy(copy) => is_ours(run, &copy.metadata),
        Snapshot::Unasked | Snapshot::Source(_) => run.spec.plan_ref.is_none(),
    }
}

/// Whether an attempt had the plan already.
fn has_begun(run: &Run) -> bool {
    let attempts = run.status.iter().flat_map(|status| &status.attempts);
    attempts.into_iter().any(|attempt| attempt.finished_at.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::run;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn referring(status: &Value) -> Run {
        let spec = json!({"planRef": {"name": "plans", "key": "first.md"},
            "repository": {"url": "https://git.example/a"}});
        run(&spec, status)
    }

    fn object(value: Value) -> Box<ConfigMap> {
        serde_json::from_value(value).unwrap()
    }

    #[rstest]
    #[case::none(None, "There is no ConfigMap plans")]
    #[case::no_such_key(Some(json!({"data": {"second.md": "x"}})), "no text under the key first.md")]
    #[case::no_text(Some(json!({"binaryData": {"first.md": "AA=="}})), "no text under the key first.md")]
    fn what_is_missing_is_named(#[case] source: Option<Value>, #[case] named: &str) {
        let found = Snapshot::Source(source.map(object));
        let run = referring(&json!({}));
        let Step::Lack(words) = step(&run, &found) else { panic!("nothing to copy") };
        assert!(words.contains(named), "{words}");
        assert!(!is_there(&run, &found));
    }

    #[test]
    fn a_plan_is_copied_once_and_never_again() {
        let source = || Snapshot::Source(Some(object(json!({"data": {"first.md": "# Old"}}))));
        let new = referring(&json!({}));
        let Step::Create(copy) = step(&new, &source()) else { panic!("it is copied") };
        assert_eq!(copy.data.as_ref().unwrap()["first.md"], "# Old");
        assert!(!is_there(&new, &source()));
        let copied = Snapshot::Copy(copy);
        assert_eq!((step(&new, &copied), is_there(&new, &copied)), (Step::Keep, true));
        // Who deletes it gets no other plan into the next attempt.
        let ended =
            json!({"number": 1, "podName": "r-run-1", "finishedAt": "2026-01-01T00:00:00Z"});
        let again = referring(&json!({"attempts": [ended]}));
        assert_eq!((step(&again, &copied), is_there(&again, &copied)), (Step::Keep, true));
        let Step::Lack(words) = step(&again, &source()) else { panic!("not copied again") };
        assert!(words.contains("r-run"), "{words}");
    }

    #[test]
    fn a_strange_object_of_that_name_is_left_alone() {
        let found = Snapshot::Copy(object(json!({"metadata": {"name": "r-run"}})));
        let run = referring(&json!({}));
        assert_eq!(step(&run, &found), Step::Conflict("r-run".to_owned()));
        assert!(!is_there(&run, &found));
    }

    #[test]
    fn a_plan_of_its_own_needs_no_copy() {
        let spec = json!({"plan": "p", "repository": {"url": "https://git.example/a"}});
        let run = run(&spec, &json!({}));
        assert_eq!(step(&run, &Snapshot::Unasked), Step::Keep);
        assert!(is_there(&run, &Snapshot::Unasked));
    }
}
