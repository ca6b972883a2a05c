//! The pod of one attempt.

use fabrica_crds::parts::PodTemplate;
use fabrica_crds::run::Driver;
use fabrica_crds::{Run, names};
use fabrica_protocol::trust::KeyDocument;
use k8s_openapi::api::core::v1::{ConfigMapVolumeSource, KeyToPath, Pod, Volume};
use kube::ResourceExt;

use crate::children::agent_pod;
use crate::children::pod::{self as common, Workload};
use crate::children::volume_claim::volume;
use crate::config::RunDefaults;
use crate::run::escalation::may_let_go;
use crate::run::usage::{Allowance, allowance, driver, turns};
use crate::trace;

/// The runtime ends its driver and tells the verdict within 10 s; this leaves it three times that.
const GRACE_SECONDS: i64 = 30;
/// The one container, by its name.
pub(in crate::run) const CONTAINER: &str = "run";
/// Where the plan is.
const PLAN: &str = "/run/fabrica/plan";

/// Says that a runtime waits for what it is to go on from.
const RESUME: &str = "FABRICA_RESUME";

/// What one attempt has that another has not.
#[derive(Debug, Clone, Copy)]
pub(in crate::run) struct Attempt {
    pub(in crate::run) number: usize,
    /// How long it may run.
    pub(in crate::run) seconds: i64,
    /// Whether it goes on from a former one's checkpoint.
    pub(in crate::run) resumes: bool,
    /// Whether none follows when the agent fails.
    pub(in crate::run) last_of_agent: bool,
    /// Whether none follows when anything else does.
    pub(in crate::run) last_of_others: bool,
}

/// The pod of an attempt.
pub(in crate::run) fn pod(
    run: &Run,
    attempt: Attempt,
    defaults: &RunDefaults,
    keys: &KeyDocument,
) -> Pod {
    let spec = &run.spec;
    let repository = &spec.repository.repository;
    let (work_id, git) = (spec.work_id.as_ref(), spec.git.as_ref());
    let mut told = common::told(run, "run", work_id, repository, git, &defaults.pods);
    told.extend([
        ("FABRICA_RUN_BRANCH", branch(run)),
        ("FABRICA_RUN_ATTEMPT", attempt.number.to_string()),
        ("FABRICA_RUN_SECONDS", attempt.seconds.to_string()),
        ("FABRICA_RUN_TITLE", spec.title.clone().unwrap_or_default()),
    ]);
    told.extend(agent(run, defaults));
    let last = [
        ("FABRICA_LAST_OF_AGENT", attempt.last_of_agent),
        ("FABRICA_LAST_OF_OTHERS", attempt.last_of_others),
    ];
    told.extend(last.into_iter().filter(|(_, is)| *is).map(|(name, _)| (name, "true".to_owned())));
    told.extend(attempt.resumes.then(|| (RESUME, "true".to_owned())));
    told.extend(spec.workspace.as_ref().map(|_| ("FABRICA_USED_VOLUME", "true".to_owned())));
    told.extend(forge(run));
    let (named, secrets) = agent_pod::credentials(
        spec.credentials_ref.as_ref(),
        defaults.credentials_secret.as_ref(),
        repository,
    );
    told.extend(named);
    let workload = Workload {
        metadata: super::metadata(run, names::run_pod(&run.name_any(), attempt.number)),
        container: CONTAINER,
        image: spec.image.as_ref(),
        image_pull_secrets: spec.image_pull_secrets.as_ref(),
        resources: spec.resources.as_ref(),
        template: template(run),
        environment: common::environment(told, spec.env.as_ref()),
        secrets,
        workspace: volume(spec.workspace.as_ref(), names::run_volume_claim(&run.name_any())),
        extra: plan_volume(run),
        restart_policy: "Never",
        grace_seconds: GRACE_SECONDS,
        trace: trace::of(run),
    };
    common::pod(workload, &defaults.pods, keys)
}

/// Whether a pod's runtime waits for a checkpoint.
pub(in crate::run) fn resumes(pod: &Pod) -> bool {
    common::variable(pod, RESUME).is_some()
}

/// The branch that the work is pushed to.
pub(in crate::run) fn branch(run: &Run) -> String {
    let own = run.spec.branch.clone();
    own.unwrap_or_else(|| names::run_branch(&run.uid().unwrap_or_default()))
}

/// Who works, with what, and for how much: what former attempts have left of the budget and of the turns.
fn agent(run: &Run, defaults: &RunDefaults) -> Vec<(&'static str, String)> {
    let (asked, default) = (&run.spec.agent, &defaults.agent);
    if driver(&run.spec, default) == Driver::Script {
        return vec![("FABRICA_RUN_DRIVER", "script".to_owned())];
    }
    let status = run.status.clone().unwrap_or_default();
    let budget = match allowance(&run.spec, default, &status.attempts) {
        Allowance::Left(left) => Some(left.to_string()),
        Allowance::UsedUp(_) | Allowance::Unbounded => None,
    };
    let own = [
        ("FABRICA_CHECKPOINTS", Some(may_let_go(&status, defaults).to_string())),
        (
            "FABRICA_QUESTION_HOLD_SECONDS",
            defaults.question_hold_seconds.map(|seconds| seconds.to_string()),
        ),
    ];
    let turns = turns(&run.spec, default, &status.attempts);
    let mut told = agent_pod::claude(asked, default, budget, turns);
    told.extend(agent_pod::set(own));
    told
}

/// Where pull requests are opened, and how; and the work item, if that is the plan.
fn forge(run: &Run) -> Vec<(&'static str, String)> {
    let spec = &run.spec;
    let request = spec.pull_request.as_ref();
    let labels = request.and_then(|request| request.labels.as_ref());
    let settings = [
        ("FABRICA_PULL_REQUEST_BASE", request.and_then(|request| request.base.clone())),
        // A list of texts is always JSON.
        (
            "FABRICA_PULL_REQUEST_LABELS",
            labels.and_then(|labels| serde_json::to_string(labels).ok()),
        ),
        (
            "FABRICA_PULL_REQUEST_DRAFT",
            request.filter(|request| request.draft).map(|_| "true".to_owned()),
        ),
    ];
    let mut told = agent_pod::forge(spec.repository.forge, spec.work_id.as_ref());
    told.extend(agent_pod::set(settings));
    told
}

/// What the user adds to the pod, and the plan: a variable would hold 128 KiB at most, which is less than the characters of
/// a plan may have.
fn template(run: &Run) -> PodTemplate {
    let mut template = run.spec.pod_template.clone().unwrap_or_default();
    if let Some(plan) = &run.spec.plan {
        let annotations = template.annotations.get_or_insert_default();
        annotations.insert(names::PLAN.to_owned(), plan.clone());
    }
    template
}

/// The plan as a file, from the pod itself or from the Run's copy of what it refers to.
fn plan_volume(run: &Run) -> Option<(Volume, &'static str)> {
    /// The file's name.
    const FILE: &str = "plan.md";
    let named = run.spec.plan_ref.as_ref().map(|reference| {
        let item = KeyToPath { key: reference.key.clone(), path: FILE.to_owned(), mode: None };
        ConfigMapVolumeSource {
            name: names::run_plan(&run.name_any()),
            items: Some(vec![item]),
            ..ConfigMapVolumeSource::default()
        }
    });
    let own = run.spec.plan.as_ref().map(|_| common::annotation_as_file(names::PLAN, FILE));
    if named.is_none() && own.is_none() {
        return None;
    }
    let name = "plan".to_owned();
    Some((Volume { name, config_map: named, downward_api: own, ..Volume::default() }, PLAN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::{defaults, run};
    use kube::ResourceExt;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::script(
        "script",
        json!({"plan": "echo $(HOME)", "agent": {"driver": "Script"}, "repository": {"url": "https://git.example/a"}})
    )]
    #[case::claude(
        "claude",
        json!({"workId": "#12", "agent": {"model": "m", "budgetUSD": "2"}, "credentialsRef": {"name": "keys"},
            "repository": {"url": "https://git.example/a", "forge": "Gitea", "secretRef": {"name": "git"}},
            "pullRequest": {"base": "main", "labels": ["a b"], "draft": true}, "workspace": {"size": "1Gi"}})
    )]
    fn snapshots(#[case] name: &str, #[case] spec: serde_json::Value) {
        let status = json!({"attempts": [{"number": 1, "podName": "p", "usage": {"inputTokens": 1, "outputTokens": 1,
            "cacheReadTokens": 0, "cacheWriteTokens": 0, "estimatedCostUSD": "0.75", "turns": 8}}]});
        let attempt = Attempt {
            number: 2,
            seconds: 60,
            resumes: name == "claude",
            last_of_agent: name == "claude",
            last_of_others: false,
        };
        let mut pod = pod(&run(&spec, &status), attempt, &defaults(), &KeyDocument::default());
        assert_eq!(resumes(&pod), attempt.resumes);
        pod.annotations_mut().insert(names::TEMPLATE_HASH.to_owned(), "digest".to_owned());
        insta::assert_yaml_snapshot!(name, pod);
    }
}
