//! The pod of a Session.

use fabrica_crds::session::{Autonomy, Mode, Workflow};
use fabrica_crds::{Session, names};
use fabrica_protocol::trust::KeyDocument;
use k8s_openapi::api::core::v1::{EnvFromSource, Pod};
use kube::ResourceExt;

use crate::children::agent_pod::{self, Told};
use crate::children::pod::{self as common, Workload};
use crate::children::volume_claim::volume;
use crate::config::{ChatDefaults, Defaults};
use crate::session::chat::{ATTEMPT, Start};
use crate::trace;

/// The runtime of a Terminal ends within 5 s; this leaves it twice that.
const GRACE_SECONDS: i64 = 10;
/// That of a Chat ends its agent within 10 s; this leaves it three times that.
const CHAT_GRACE_SECONDS: i64 = 30;
/// The one container, by its name.
pub(in crate::session) const CONTAINER: &str = "session";

/// The pod of a Session. Of a Chat: of this start.
pub(in crate::session) fn pod(
    session: &Session,
    start: &Start,
    defaults: &Defaults,
    keys: &KeyDocument,
) -> Pod {
    let spec = &session.spec;
    let (mode, pods, grace_seconds) = match spec.mode {
        Mode::Terminal => ("terminal", &defaults.terminal, GRACE_SECONDS),
        Mode::Chat => ("chat", &defaults.chat.pods, CHAT_GRACE_SECONDS),
    };
    let repository = spec.repository.clone().unwrap_or_default().repository;
    let mut told = common::told(session, mode, &repository, spec.git.as_ref(), pods);
    let (own, secrets) = match spec.mode {
        Mode::Terminal => terminal(session),
        Mode::Chat => chat(session, start, &defaults.chat),
    };
    told.extend(own);
    let workload = Workload {
        metadata: super::metadata(session, names::pod(&session.name_any())),
        container: CONTAINER,
        image: spec.image.as_ref(),
        image_pull_secrets: spec.image_pull_secrets.as_ref(),
        resources: spec.resources.as_ref(),
        template: spec.pod_template.clone().unwrap_or_default(),
        environment: common::environment(told, spec.env.as_ref()),
        secrets,
        workspace: volume(spec.workspace.as_ref(), names::volume_claim(&session.name_any())),
        extra: None,
        restart_policy: "Always",
        grace_seconds,
        trace: trace::of(session),
    };
    common::pod(workload, pods, keys)
}

/// What a Terminal's runtime is told.
fn terminal(session: &Session) -> (Vec<Told>, Vec<EnvFromSource>) {
    let spec = &session.spec;
    let login = spec.repository.as_ref().and_then(|it| it.repository.secret_ref.as_ref());
    let credentials = spec.credentials_ref.as_ref();
    let told = vec![("FABRICA_CREDENTIALS_SECRET", common::name_of(credentials))];
    let secrets =
        common::secrets(&[(login, "FABRICA_REPOSITORY_"), (credentials, "FABRICA_CREDENTIAL_")]);
    (told, secrets)
}

/// What a Chat's runtime is told.
fn chat(
    session: &Session,
    start: &Start,
    defaults: &ChatDefaults,
) -> (Vec<Told>, Vec<EnvFromSource>) {
    let spec = &session.spec;
    let repository = spec.repository.clone().unwrap_or_default();
    let workflow = match spec.workflow.unwrap_or_default() {
        Workflow::Faber => "faber",
        Workflow::None => "none",
    };
    let autonomy = match spec.autonomy.unwrap_or_default() {
        Autonomy::DryRun => "dryRun",
        Autonomy::Assist => "assist",
        Autonomy::Guarded => "guarded",
        Autonomy::Autonomous => "autonomous",
    };
    let mut told = vec![
        ("FABRICA_CHAT_WORKFLOW", workflow.to_owned()),
        ("FABRICA_CHAT_AUTONOMY", autonomy.to_owned()),
        (ATTEMPT, start.number.to_string()),
        ("FABRICA_RUN_BRANCH", names::run_branch(&session.uid().unwrap_or_default())),
    ];
    let agent = spec.agent.clone().unwrap_or_default();
    told.extend(agent_pod::claude(&agent, &defaults.agent, start.budget.clone()));
    told.extend(agent_pod::forge(repository.forge, spec.work_id.as_ref()));
    let (named, secrets) = agent_pod::credentials(
        spec.credentials_ref.as_ref(),
        defaults.credentials_secret.as_ref(),
        &repository.repository,
    );
    told.extend(named);
    (told, secrets)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{defaults, everything, minimal, session};
    use super::*;
    use std::collections::BTreeMap;

    fn made(session: &Session, keys: &KeyDocument) -> Pod {
        pod(session, &Start::default(), &defaults(), keys)
    }

    fn snapshot(session: &Session) -> Pod {
        let start = Start { number: 2, budget: Some("4.50".to_owned()) };
        let mut pod = pod(session, &start, &defaults(), &KeyDocument::default());
        // The digest changes with every field; what it digests stands in the snapshot.
        pod.annotations_mut().insert(names::TEMPLATE_HASH.to_owned(), "digest".to_owned());
        pod
    }

    #[test]
    fn minimal_pod() {
        insta::assert_yaml_snapshot!(snapshot(&minimal()));
    }

    #[test]
    fn pod_of_everything() {
        insta::assert_yaml_snapshot!(snapshot(&everything()));
    }

    #[test]
    fn pod_of_a_chat() {
        let text = include_str!("../../../crds/examples/chat.yaml");
        let example: serde_json::Value = serde_saphyr::from_str(text).unwrap();
        let pod = snapshot(&session(example["spec"].clone()));
        let start = Start { number: 2, budget: Some("4.50".to_owned()) };
        assert_eq!(Start::of(&pod), Some(start));
        assert_eq!(Start::of(&snapshot(&minimal())), None);
        insta::assert_yaml_snapshot!(pod);
    }

    #[test]
    fn the_digest_follows_the_spec_and_not_the_keys() {
        let hash = |pod: Pod| pod.annotations()[names::TEMPLATE_HASH].clone();
        let keys: KeyDocument = serde_json::from_value(serde_json::json!({"keys": [{
            "kid": "a", "pkcs8": "", "x": "", "createdAt": "2026-01-01T00:00:00Z", "activeAt": "2026-01-01T00:00:00Z"}]}))
        .unwrap();
        let plain = hash(made(&minimal(), &KeyDocument::default()));
        assert_eq!(plain, hash(made(&minimal(), &keys)));
        assert_ne!(plain, hash(made(&everything(), &keys)));
    }

    #[test]
    fn a_trace_is_told_and_is_no_reason_to_start_again() {
        let hash = |pod: &Pod| pod.annotations()[names::TEMPLATE_HASH].clone();
        let plain = made(&minimal(), &KeyDocument::default());
        assert_eq!(common::variable(&plain, "TRACEPARENT"), None);
        let mut defaults = defaults();
        defaults.terminal.traces = true;
        let traced = pod(&minimal(), &Start::default(), &defaults, &KeyDocument::default());
        let trace = common::variable(&traced, "TRACEPARENT").unwrap();
        assert!(trace.contains(&minimal().uid().unwrap().replace('-', "")), "{trace}");
        assert_eq!(hash(&plain), hash(&traced));
    }

    #[test]
    fn users_cannot_take_our_labels() {
        let mut session = minimal();
        session.spec.pod_template = Some(fabrica_crds::session::PodTemplate {
            labels: Some(BTreeMap::from([(names::SESSION_ID.to_owned(), "another".to_owned())])),
            ..Default::default()
        });
        let pod = made(&session, &KeyDocument::default());
        assert_eq!(pod.labels()[names::SESSION_ID], session.uid().unwrap());
    }
}
