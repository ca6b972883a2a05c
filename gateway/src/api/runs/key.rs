//! `Idempotency-Key`: asking again with the same key gives the same Run.

use fabrica_crds::{Run, RunSpec};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use utoipa::IntoParams;

use crate::access::Verb;
use crate::api::objects::write::{Draft, create, permitted};
use crate::app::App;
use crate::identity::Identity;
use crate::names::ObjectKey;
use crate::objects::RunView;
use crate::problem::Problem;

/// The header, as documents and problems name it.
const HEADER: &str = "Idempotency-Key";

/// The longest key: more than any UUID or hash.
const KEY_BYTES: usize = 255;

/// What is worked on, how and where: a former request that said something of it is not this one, which says nothing.
const WORK: [&str; 8] =
    ["plan", "planRef", "workId", "title", "branch", "repository", "pullRequest", "agent"];

/// What the spec of a Run gets after it was asked for.
const LATER: [&str; 3] = ["owner", "desiredState", "answers"];

/// The header, for the description of a request.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is described, and read as a header")]
pub(super) struct Header {
    /// Asking again with the same key gives the same run.
    #[param(rename = "Idempotency-Key", max_length = 255, nullable = false)]
    idempotency_key: Option<String>,
}

/// A Run, and whether this request made it.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) view: RunView,
    pub(super) new: bool,
}

/// The name that a request's key stands for: one user's keys are not another's.
pub(super) fn name(headers: &HeaderMap, identity: &Identity) -> Result<Option<String>, Problem> {
    name_of(headers, &[identity.name()])
}

/// The same for what follows a Run: one key may stand for a retry of each.
pub(super) fn retry_name(
    headers: &HeaderMap,
    identity: &Identity,
    old: &RunView,
) -> Result<Option<String>, Problem> {
    name_of(headers, &[identity.name(), &old.metadata.uid])
}

fn name_of(headers: &HeaderMap, whose: &[&str]) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let usable = value.to_str().ok().filter(|key| (1..=KEY_BYTES).contains(&key.len()));
    let Some(key) = usable else {
        let message = format!("must be 1 to {KEY_BYTES} characters of ASCII");
        return Err(Problem::bad_part(HEADER, message));
    };
    // None of them can hold a zero byte, so that no two lists give one text.
    let hash = Sha256::digest([whose, &[key]].concat().join("\0"));
    // The half of it fits into a name, and two keys of one user do not meet in it.
    let half = hash.first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes));
    Ok(Some(format!("run-{half:032x}")))
}

/// Creates the Run, or finds the one that was created for the same key, which its name stands for.
pub(super) async fn create_once(
    app: &App,
    identity: &Identity,
    namespace: &str,
    draft: Draft,
) -> Result<Taken, Problem> {
    let (name, spec) = (draft.name.clone(), draft.spec.clone());
    let problem = match create::<Run>(app, identity, namespace, draft).await {
        Ok(view) => return Ok(Taken { view, new: true }),
        Err(problem) => problem,
    };
    match name {
        Some(name) if problem.status == StatusCode::CONFLICT.as_u16() => {
            let key = ObjectKey { namespace: namespace.to_owned(), name };
            let view = permitted::<Run>(app, identity, Verb::Get, &key).await?;
            same(&view, spec)?;
            Ok(Taken { view, new: false })
        }
        _ => Err(problem),
    }
}

/// A key stands for one Run.
fn same(view: &RunView, wanted: Map<String, Value>) -> Result<(), Problem> {
    let said: Vec<String> = wanted.keys().cloned().collect();
    let said = said.iter().map(String::as_str).filter(|part| !LATER.contains(part));
    // Read as the API server reads it: what is left out has its default.
    let wanted = serde_json::from_value::<RunSpec>(Value::Object(wanted));
    let wanted = wanted.and_then(serde_json::to_value).unwrap_or_default();
    let found = serde_json::to_value(&view.spec).unwrap_or_default();
    if said.chain(WORK).all(|part| found.get(part) == wanted.get(part)) {
        return Ok(());
    }
    let message = format!("was used for another plan ({}); take a new key", view.key());
    Err(Problem::invalid(HEADER, message))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn spec(more: &Value) -> Map<String, Value> {
        let mut spec =
            json!({"plan": "# Plan", "repository": {"url": "https://git.example.com/a"}});
        let more = more.as_object().unwrap().clone();
        spec.as_object_mut().unwrap().extend(more);
        spec.as_object().unwrap().clone()
    }

    fn view(spec: &Map<String, Value>) -> RunView {
        let run: Run = serde_json::from_value(json!({
            "apiVersion": "fabrica.dev/v1alpha1", "kind": "Run", "metadata": {"name": "a"}, "spec": spec,
        }))
        .unwrap();
        run.into()
    }

    #[rstest]
    #[case::as_it_was(json!({}), json!({}), true)]
    #[case::defaults_are_spelled_out(json!({"agent": {}}), json!({"deadlineSeconds": 3600}), true)]
    #[case::it_was_cancelled(json!({"desiredState": "Cancelled", "owner": "dana"}), json!({"desiredState": "Running"}), true)]
    #[case::a_policy_set_the_image(json!({"image": "i"}), json!({}), true)]
    #[case::another_image(json!({"image": "i"}), json!({"image": "j"}), false)]
    #[case::another_base(json!({}), json!({"pullRequest": {"base": "main"}}), false)]
    #[case::a_title_no_more(json!({"title": "t"}), json!({}), false)]
    #[case::no_spec(json!({}), json!({"deadlineSeconds": "long"}), false)]
    fn a_key_stands_for_one_spec(#[case] first: Value, #[case] second: Value, #[case] is: bool) {
        let answer = same(&view(&spec(&first)), spec(&second));
        assert_eq!(answer.is_ok(), is);
        assert!(answer.err().is_none_or(|problem| problem.errors[0].field == HEADER));
    }
}
