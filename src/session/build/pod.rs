//! The pod of a Session.

use std::collections::BTreeMap;

use fabrica_crds::session::{Autonomy, Mode, Workflow};
use fabrica_crds::{Session, SessionSpec, names};
use fabrica_protocol::runtime::AGENT_SPEC;
use fabrica_protocol::trust::KeyDocument;
use k8s_openapi::api::core::v1::{EnvFromSource, Pod};
use kube::ResourceExt;

use crate::children::agent_pod::{self, Told};
use crate::children::hash;
use crate::children::pod::{self as common, Workload};
use crate::children::reference::{CREDENTIAL, REPOSITORY};
use crate::children::volume_claim::volume;
use crate::config::{ChatDefaults, Defaults, SessionDefaults};
use crate::session::chat::{AGENT_STATE, ATTEMPT, Start};
use crate::trace;

/// The runtime of a Terminal ends within 5 s, and 2 s later when it has an agent to end.
const GRACE_SECONDS: i64 = 10;
/// That of a Chat ends its agent within 10 s; this leaves it three times that.
const CHAT_GRACE_SECONDS: i64 = 30;
/// What a key of the chart's Secret begins with, as a variable, in a pod whose shells must not have it.
const AGENT_CREDENTIAL: &str = "FABRICA_AGENT_CREDENTIAL_";
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
    // Where the spec speaks of an agent, the image is one that has it.
    let image = &defaults.chat.pods.image;
    let with_agent = SessionDefaults { image: image.clone(), ..defaults.terminal.clone() };
    let may_have_agent = spec.agent_state.is_some() && defaults.chat.enabled;
    let (mode, pods, grace_seconds) = match spec.mode {
        Mode::Terminal if may_have_agent => ("terminal", &with_agent, GRACE_SECONDS),
        Mode::Terminal => ("terminal", &defaults.terminal, GRACE_SECONDS),
        Mode::Chat => ("chat", &defaults.chat.pods, CHAT_GRACE_SECONDS),
    };
    let repository = spec.repository.clone().unwrap_or_default().repository;
    // That of a Terminal's agent may be named when its pod is there already.
    let work_id = spec.work_id.as_ref().filter(|_| spec.mode == Mode::Chat);
    let mut told = common::told(session, mode, work_id, &repository, spec.git.as_ref(), pods);
    let (own, secrets) = match spec.mode {
        Mode::Terminal => terminal(session, start, &defaults.chat),
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

/// What a Terminal's runtime is told. The chart's credentials are there for an agent that is started later.
fn terminal(
    session: &Session,
    start: &Start,
    defaults: &ChatDefaults,
) -> (Vec<Told>, Vec<EnvFromSource>) {
    let spec = &session.spec;
    let login = spec.repository.as_ref().and_then(|it| it.repository.secret_ref.as_ref());
    let credentials = spec.credentials_ref.as_ref();
    let mut told = vec![("FABRICA_CREDENTIALS_SECRET", common::name_of(credentials))];
    told.extend(start.with_agent.then(|| (AGENT_STATE, "On".to_owned())));
    let mut secrets = common::secrets(&[(login, REPOSITORY), (credentials, CREDENTIAL)]);
    let is_default = credentials.is_none() && spec.agent_state.is_some() && defaults.enabled;
    let default = defaults.credentials_secret.as_ref().filter(|_| is_default);
    secrets.extend(default.map(|name| common::optional_secret(name, AGENT_CREDENTIAL)));
    (told, secrets)
}

/// What the runtime of a Terminal is told of an agent that it is to start: what a Chat's pod is told as variables.
pub(in crate::session) fn agent_settings(
    session: &Session,
    start: &Start,
    defaults: &ChatDefaults,
) -> BTreeMap<String, String> {
    let mut told = agent(session, start, defaults);
    told.push((AGENT_SPEC, agent_spec(session)));
    told.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What the spec says of an agent, as a digest: none of it changes while that is on.
pub(in crate::session) fn agent_spec(session: &Session) -> String {
    let SessionSpec { workflow, autonomy, work_id, agent, repository, .. } = &session.spec;
    let place =
        repository.as_ref().map(|it| (&it.repository.url, &it.repository.branch, &it.forge));
    hash(&(workflow, autonomy, work_id, agent, place))
}

/// What a Chat's runtime is told.
fn chat(
    session: &Session,
    start: &Start,
    defaults: &ChatDefaults,
) -> (Vec<Told>, Vec<EnvFromSource>) {
    let spec = &session.spec;
    let repository = spec.repository.clone().unwrap_or_default().repository;
    let mut told = agent(session, start, defaults);
    let (named, secrets) = agent_pod::credentials(
        spec.credentials_ref.as_ref(),
        defaults.credentials_secret.as_ref(),
        &repository,
    );
    told.extend(named);
    (told, secrets)
}

/// What a runtime is told of the agent that people talk to.
fn agent(session: &Session, start: &Start, defaults: &ChatDefaults) -> Vec<Told> {
    let spec = &session.spec;
    let forge = spec.repository.as_ref().and_then(|repository| repository.forge);
    let workflow = match (spec.workflow, spec.mode) {
        (Some(Workflow::Faber), _) | (None, Mode::Chat) => "faber",
        (Some(Workflow::None), _) | (None, Mode::Terminal) => "none",
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
    let turns = agent_pod::turns(&agent, &defaults.agent);
    told.extend(agent_pod::claude(&agent, &defaults.agent, start.budget.clone(), turns));
    told.extend(agent_pod::forge(forge, spec.work_id.as_ref()));
    told
}

#[cfg(test)]
mod tests {
    use super::super::tests::{defaults, everything, minimal, session};
    use super::*;
    use serde_json::json;

    fn made(session: &Session, keys: &KeyDocument) -> Pod {
        pod(session, &Start::default(), &defaults(), keys)
    }

    fn snapshot(session: &Session) -> Pod {
        let start = Start { number: 2, budget: Some("4.50".to_owned()), with_agent: false };
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
        let start = Start { number: 2, budget: Some("4.50".to_owned()), with_agent: false };
        assert_eq!(Start::of(&pod), start);
        insta::assert_yaml_snapshot!(pod);
    }

    #[test]
    fn the_pod_of_a_terminal_with_an_agent_has_what_that_needs() {
        let repository = json!({"url": "https://h/x", "forge": "Gitea"});
        let on = session(json!({"agentState": "On", "repository": repository, "workId": "7"}));
        let start = Start { number: 3, budget: Some("4.50".to_owned()), with_agent: true };
        let pod = pod(&on, &start, &defaults(), &KeyDocument::default());
        let container = &pod.spec.as_ref().unwrap().containers[0];
        assert_eq!(container.image.as_deref(), Some("registry.example/faber:1"));
        let secrets: Vec<_> =
            container.env_from.iter().flatten().filter_map(|from| from.prefix.as_deref()).collect();
        assert_eq!(secrets, [AGENT_CREDENTIAL], "shells do not get the chart's");
        assert!(Start::of(&pod).with_agent);
        assert!(!Start::of(&made(&minimal(), &KeyDocument::default())).with_agent);
        let settings = agent_settings(&on, &start, &defaults().chat);
        let setting = |name: &str| settings.get(name).map(String::as_str);
        assert_eq!(setting("FABRICA_CHAT_WORKFLOW"), Some("none"));
        assert_eq!(setting("FABRICA_CHAT_ATTEMPT"), Some("3"));
        assert_eq!(setting("FABRICA_FORGE"), Some("gitea"));
        assert_eq!(setting("FABRICA_WORK_ID"), Some("7"));
        assert_eq!(setting("FABRICA_AGENT_BUDGET_USD"), Some("4.50"));
        assert!(settings.keys().all(|name| !name.contains("CREDENTIAL")));
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
