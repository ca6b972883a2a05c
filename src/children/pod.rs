//! A workspace pod: Pod Security Standard *restricted*, without any credential of the cluster.

use fabrica_crds::names;
use fabrica_crds::parts::{
    EnvironmentVariable, GitIdentity, PodTemplate, Repository, SecretReference, VariableSource,
};
use fabrica_protocol::runtime::PORT;
use fabrica_protocol::trust::{ANNOTATION, KeyDocument};
use fabrica_telemetry::Traceparent;
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapKeySelector, Container, ContainerPort, DownwardAPIVolumeFile,
    DownwardAPIVolumeSource, EmptyDirVolumeSource, EnvFromSource, EnvVar, EnvVarSource,
    HTTPGetAction, LocalObjectReference, ObjectFieldSelector, Pod, PodSecurityContext, PodSpec,
    Probe, ResourceRequirements, SeccompProfile, SecretEnvSource, SecretKeySelector,
    SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};

use crate::config::SessionDefaults;

/// The user in every pod: `developer`.
const USER: i64 = 1000;
/// The variable by which programs know what they belong to.
const TRACEPARENT: &str = "TRACEPARENT";
/// Where the volume is.
const WORKSPACE: &str = "/workspace";
/// Where the public keys are.
const TRUST: &str = "/run/fabrica/trust";
/// Where an image of the user's own finds the runtime.
const BINARIES: &str = "/fabrica";
/// The container that copies the runtime.
pub(crate) const INIT_CONTAINER: &str = "runtime";

/// What one pod has that another has not.
#[derive(Debug)]
pub(crate) struct Workload<'a> {
    pub(crate) metadata: ObjectMeta,
    /// The one container, by its name.
    pub(crate) container: &'static str,
    pub(crate) image: Option<&'a String>,
    pub(crate) image_pull_secrets: Option<&'a Vec<SecretReference>>,
    pub(crate) resources: Option<&'a ResourceRequirements>,
    pub(crate) template: PodTemplate,
    pub(crate) environment: Vec<EnvVar>,
    pub(crate) secrets: Vec<EnvFromSource>,
    /// What lies at /workspace.
    pub(crate) workspace: Volume,
    /// What is mounted besides, to be read.
    pub(crate) extra: Option<(Volume, &'static str)>,
    pub(crate) restart_policy: &'static str,
    pub(crate) grace_seconds: i64,
    /// What it belongs to. It is not part of the template: to tell another one is no reason to start again.
    pub(crate) trace: Option<Traceparent>,
}

/// The pod of a workload.
pub(crate) fn pod(
    mut workload: Workload<'_>,
    defaults: &SessionDefaults,
    keys: &KeyDocument,
) -> Pod {
    let mut metadata = std::mem::take(&mut workload.metadata);
    let mut labels = workload.template.labels.take().unwrap_or_default();
    labels.extend(metadata.labels.take().unwrap_or_default());
    let mut annotations = workload.template.annotations.take().unwrap_or_default();
    let trace = workload.trace.filter(|_| defaults.traces);
    let mut spec = pod_spec(workload, defaults);
    let hash = super::hash(&(&spec, &labels, &annotations));
    annotations.insert(names::TEMPLATE_HASH.to_owned(), hash);
    annotations.insert(ANNOTATION.to_owned(), keys.public_annotation());
    for container in spec.containers.iter_mut().filter(|_| trace.is_some()) {
        let value = trace.map(|trace| trace.to_string());
        let name = TRACEPARENT.to_owned();
        // A variable of the user's own comes later, and wins.
        container.env.get_or_insert_default().insert(0, EnvVar { name, value, value_from: None });
    }
    metadata.labels = Some(labels);
    metadata.annotations = Some(annotations);
    Pod { metadata, spec: Some(spec), status: None }
}

fn pod_spec(workload: Workload<'_>, defaults: &SessionDefaults) -> PodSpec {
    let own_image = workload.image.is_some();
    PodSpec {
        containers: vec![container(&workload, defaults)],
        init_containers: own_image.then(|| vec![init_container(&workload, defaults)]),
        volumes: Some(volumes(&workload)),
        restart_policy: Some(workload.restart_policy.to_owned()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(workload.grace_seconds),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            fs_group_change_policy: Some("OnRootMismatch".to_owned()),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        image_pull_secrets: workload.image_pull_secrets.map(|secrets| {
            secrets
                .iter()
                .map(|secret| LocalObjectReference { name: secret.name.clone() })
                .collect()
        }),
        node_selector: workload.template.node_selector,
        tolerations: workload.template.tolerations,
        runtime_class_name: workload.template.runtime_class_name,
        ..PodSpec::default()
    }
}

fn container(workload: &Workload<'_>, defaults: &SessionDefaults) -> Container {
    let own_image = workload.image.is_some();
    let mut mounts = vec![mount("workspace", WORKSPACE, false), mount("trust", TRUST, true)];
    if own_image {
        mounts.push(mount("fabrica-bin", BINARIES, true));
    }
    if let Some((volume, path)) = &workload.extra {
        mounts.push(mount(&volume.name, path, true));
    }
    Container {
        name: workload.container.to_owned(),
        image: Some(workload.image.unwrap_or(&defaults.image).clone()),
        image_pull_policy: Some(defaults.image_pull_policy.clone()),
        command: own_image.then(|| vec![format!("{BINARIES}/fabrica-runtime"), "serve".to_owned()]),
        env: Some(workload.environment.clone()),
        env_from: Some(workload.secrets.clone()).filter(|sources| !sources.is_empty()),
        ports: Some(vec![ContainerPort {
            name: Some("runtime".to_owned()),
            container_port: PORT.into(),
            ..ContainerPort::default()
        }]),
        readiness_probe: Some(Probe {
            http_get: Some(HTTPGetAction {
                path: Some("/healthz".to_owned()),
                port: IntOrString::Int(PORT.into()),
                ..HTTPGetAction::default()
            }),
            period_seconds: Some(1),
            timeout_seconds: Some(2),
            failure_threshold: Some(3),
            ..Probe::default()
        }),
        resources: Some(workload.resources.unwrap_or(&defaults.resources).clone()),
        security_context: Some(restricted()),
        volume_mounts: Some(mounts),
        working_dir: Some(WORKSPACE.to_owned()),
        ..Container::default()
    }
}

/// Asks for what the container asks for: a pod reserves what the larger of both does.
fn init_container(workload: &Workload<'_>, defaults: &SessionDefaults) -> Container {
    Container {
        name: INIT_CONTAINER.to_owned(),
        image: Some(defaults.runtime_image.clone()),
        image_pull_policy: Some(defaults.image_pull_policy.clone()),
        args: Some(vec!["install".to_owned(), BINARIES.to_owned()]),
        command: Some(vec!["/usr/local/bin/fabrica-runtime".to_owned()]),
        resources: Some(workload.resources.unwrap_or(&defaults.resources).clone()),
        security_context: Some(restricted()),
        volume_mounts: Some(vec![mount("fabrica-bin", BINARIES, false)]),
        ..Container::default()
    }
}

fn restricted() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
        ..SecurityContext::default()
    }
}

fn volumes(workload: &Workload<'_>) -> Vec<Volume> {
    let trust = Volume {
        name: "trust".to_owned(),
        downward_api: Some(annotation_as_file(ANNOTATION, "keys")),
        ..Volume::default()
    };
    let mut all = vec![workload.workspace.clone(), trust];
    if workload.image.is_some() {
        all.push(files_of_the_pod("fabrica-bin"));
    }
    all.extend(workload.extra.iter().map(|(volume, _)| volume.clone()));
    all
}

/// One of the pod's own annotations, as a file of a volume.
pub(crate) fn annotation_as_file(annotation: &str, file: &str) -> DownwardAPIVolumeSource {
    let field = format!("metadata.annotations['{annotation}']");
    DownwardAPIVolumeSource {
        items: Some(vec![DownwardAPIVolumeFile {
            path: file.to_owned(),
            field_ref: Some(ObjectFieldSelector { field_path: field, api_version: None }),
            ..DownwardAPIVolumeFile::default()
        }]),
        default_mode: None,
    }
}

/// A volume that lives as long as the pod.
pub(crate) fn files_of_the_pod(name: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    }
}

/// What every runtime is told.
pub(crate) fn told(
    owner: &impl Resource,
    mode: &str,
    work_id: Option<&String>,
    repository: &Repository,
    git: Option<&GitIdentity>,
    defaults: &SessionDefaults,
) -> Vec<(&'static str, String)> {
    let git = git.cloned().unwrap_or_default();
    let size = defaults.terminal_size.clone().map(|size| ("FABRICA_TERMINAL_SIZE", size));
    let mut told = vec![
        ("SESSION_ID", owner.uid().unwrap_or_default()),
        ("MODE", mode.to_owned()),
        ("WORK_ID", work_id.cloned().unwrap_or_default()),
        ("REPO_URL", repository.url.clone()),
        ("BRANCH", repository.branch.clone().unwrap_or_default()),
        ("GIT_USER_NAME", git.user_name),
        ("GIT_USER_EMAIL", git.user_email),
        ("HOME", format!("{WORKSPACE}/home")),
        ("FABRICA_NAMESPACE", owner.namespace().unwrap_or_default()),
        ("FABRICA_NAME", owner.name_any()),
        ("FABRICA_INSTALL_DEPENDENCIES", defaults.install_dependencies.to_string()),
        ("FABRICA_REPOSITORY_SECRET", name_of(repository.secret_ref.as_ref())),
    ];
    told.extend(size);
    told
}

/// What the runtime in a pod was told by this name.
pub(crate) fn variable<'a>(pod: &'a Pod, name: &str) -> Option<&'a str> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let mut variables = containers.flat_map(|container| container.env.iter().flatten());
    variables.find(|variable| variable.name == name)?.value.as_deref()
}

/// The name of a Secret, as the runtime is told it.
pub(crate) fn name_of(reference: Option<&SecretReference>) -> String {
    reference.map(|secret| secret.name.clone()).unwrap_or_default()
}

/// What the runtime is told, then the user's own variables.
pub(crate) fn environment(
    told: Vec<(&'static str, String)>,
    own: Option<&Vec<EnvironmentVariable>>,
) -> Vec<EnvVar> {
    let told = told.into_iter().chain(secret_variables(own)).map(|(name, value)| EnvVar {
        name: name.to_owned(),
        value: Some(escaped(&value)),
        value_from: None,
    });
    told.chain(own.into_iter().flatten().map(own_variable)).collect()
}

/// Which of the user's own variables come out of Secrets: no record is to show their values.
fn secret_variables(own: Option<&Vec<EnvironmentVariable>>) -> Option<(&'static str, String)> {
    let is_secret = |variable: &&EnvironmentVariable| {
        variable.value_from.as_ref().is_some_and(|source| source.secret_key_ref.is_some())
    };
    let names = own?.iter().filter(is_secret).map(|variable| variable.name.as_str());
    let names = names.collect::<Vec<_>>().join(",");
    (!names.is_empty()).then_some(("FABRICA_SECRET_ENV", names))
}

/// The kubelet expands `$(NAME)` in values; what we tell is meant as it stands, and plans are full of that.
fn escaped(value: &str) -> String {
    value.replace("$(", "$$(")
}

fn own_variable(variable: &EnvironmentVariable) -> EnvVar {
    EnvVar {
        name: variable.name.clone(),
        value: variable.value.clone(),
        value_from: variable.value_from.as_ref().map(source),
    }
}

fn source(source: &VariableSource) -> EnvVarSource {
    EnvVarSource {
        secret_key_ref: source.secret_key_ref.as_ref().map(|reference| SecretKeySelector {
            name: reference.name.clone(),
            key: reference.key.clone(),
            optional: None,
        }),
        config_map_key_ref: source.config_map_key_ref.as_ref().map(|reference| {
            ConfigMapKeySelector {
                name: reference.name.clone(),
                key: reference.key.clone(),
                optional: None,
            }
        }),
        ..EnvVarSource::default()
    }
}

/// Secrets reach the runtime's own environment, which its children cannot read. A missing one is told by the kubelet.
pub(crate) fn secrets(references: &[(Option<&SecretReference>, &str)]) -> Vec<EnvFromSource> {
    references
        .iter()
        .filter_map(|(reference, prefix)| Some(secret(&reference.as_ref()?.name, prefix, None)))
        .collect()
}

/// A Secret that need not be there.
pub(crate) fn optional_secret(name: &str, prefix: &str) -> EnvFromSource {
    secret(name, prefix, Some(true))
}

fn secret(name: &str, prefix: &str, optional: Option<bool>) -> EnvFromSource {
    EnvFromSource {
        prefix: Some(prefix.to_owned()),
        secret_ref: Some(SecretEnvSource { name: name.to_owned(), optional }),
        config_map_ref: None,
    }
}

fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_runtime_is_told_which_variables_came_out_of_secrets() {
        let reference = json!({"name": "n", "key": "k"});
        let own: Vec<EnvironmentVariable> = serde_json::from_value(json!([
            {"name": "COLOUR", "value": "green"},
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": reference}},
            {"name": "VERSION", "valueFrom": {"configMapKeyRef": reference}},
            {"name": "PIN", "valueFrom": {"secretKeyRef": reference}},
        ]))
        .unwrap();
        let told = |own: &[EnvironmentVariable]| {
            let all = environment(vec![("MODE", "run".to_owned())], Some(&own.to_vec()));
            let found = all.into_iter().find(|variable| variable.name == "FABRICA_SECRET_ENV");
            found.and_then(|variable| variable.value)
        };
        assert_eq!(told(&own).as_deref(), Some("PASSWORD,PIN"));
        assert_eq!(told(&own[..1]), None);
    }
}
