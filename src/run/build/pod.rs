//! The pod of one attempt.

use fabrica_crds::{Run, names};
use fabrica_protocol::trust::KeyDocument;
use k8s_openapi::api::core::v1::{ConfigMapVolumeSource, KeyToPath, Pod, Volume};
use kube::ResourceExt;

use crate::children::pod::{self as common, Workload};
use crate::config::RunDefaults;

/// The runtime ends its driver and tells the verdict within 10 s; this leaves it three times that.
const GRACE_SECONDS: i64 = 30;
/// The one container, by its name.
pub(in crate::run) const CONTAINER: &str = "run";
/// Where a plan from a ConfigMap is.
const PLAN: &str = "/run/fabrica/plan";

/// The pod of an attempt that has so many seconds left.
pub(in crate::run) fn pod(
    run: &Run,
    number: usize,
    seconds: i64,
    defaults: &RunDefaults,
    keys: &KeyDocument,
) -> Pod {
    let spec = &run.spec;
    let mut told = common::told(run, "run", &spec.repository, spec.git.as_ref(), &defaults.pods);
    told.extend([
        ("FABRICA_RUN_BRANCH", branch(run)),
        ("FABRICA_RUN_ATTEMPT", number.to_string()),
        ("FABRICA_RUN_SECONDS", seconds.to_string()),
        ("FABRICA_RUN_DRIVER", "script".to_owned()),
        ("FABRICA_RUN_TITLE", spec.title.clone().unwrap_or_default()),
    ]);
    told.extend(spec.plan.clone().map(|plan| ("FABRICA_RUN_PLAN", escaped(&plan))));
    let workload = Workload {
        metadata: super::metadata(run, names::run_pod(&run.name_any(), number)),
        container: CONTAINER,
        image: spec.image.as_ref(),
        image_pull_secrets: spec.image_pull_secrets.as_ref(),
        resources: spec.resources.as_ref(),
        template: spec.pod_template.clone().unwrap_or_default(),
        environment: common::environment(told, spec.env.as_ref()),
        secrets: common::secrets(&[(spec.repository.secret_ref.as_ref(), "FABRICA_REPOSITORY_")]),
        workspace: common::files_of_the_pod("workspace"),
        extra: plan_volume(run),
        restart_policy: "Never",
        grace_seconds: GRACE_SECONDS,
    };
    common::pod(workload, &defaults.pods, keys)
}

/// The branch that the work is pushed to.
pub(in crate::run) fn branch(run: &Run) -> String {
    let own = run.spec.branch.clone();
    own.unwrap_or_else(|| names::run_branch(&run.uid().unwrap_or_default()))
}

/// The kubelet expands `$(NAME)` in values; a plan is full of that, and is meant as it stands.
fn escaped(plan: &str) -> String {
    plan.replace("$(", "$$(")
}

fn plan_volume(run: &Run) -> Option<(Volume, &'static str)> {
    let reference = run.spec.plan_ref.as_ref()?;
    let item = KeyToPath { key: reference.key.clone(), path: "plan.md".to_owned(), mode: None };
    let volume = Volume {
        name: "plan".to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: reference.name.clone(),
            items: Some(vec![item]),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    };
    Some((volume, PLAN))
}
