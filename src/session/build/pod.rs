//! The workspace pod: Pod Security Standard *restricted*, without any credential of the cluster.

use fabrica_crds::session::{EnvironmentVariable, Repository, VariableSource};
use fabrica_crds::{Session, names};
use fabrica_protocol::runtime::PORT;
use fabrica_protocol::trust::{ANNOTATION, KeyDocument};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapKeySelector, Container, ContainerPort, DownwardAPIVolumeFile,
    DownwardAPIVolumeSource, EmptyDirVolumeSource, EnvFromSource, EnvVar, EnvVarSource,
    HTTPGetAction, LocalObjectReference, ObjectFieldSelector, PersistentVolumeClaimVolumeSource,
    Pod, PodSecurityContext, PodSpec, Probe, SeccompProfile, SecretEnvSource, SecretKeySelector,
    SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use crate::config::SessionDefaults;

/// The user in every pod: `developer`.
const USER: i64 = 1000;
/// The runtime ends within 5 s; this leaves it twice that.
const GRACE_SECONDS: i64 = 10;
/// Where the volume is.
const WORKSPACE: &str = "/workspace";
/// Where the public keys are.
const TRUST: &str = "/run/fabrica/trust";
/// Where an image of the user's own finds the runtime.
const BINARIES: &str = "/fabrica";
/// The one container, by its name.
pub(in crate::session) const CONTAINER: &str = "session";
/// The container that copies the runtime.
pub(in crate::session) const INIT_CONTAINER: &str = "runtime";

/// The pod of a Session.
pub(in crate::session) fn pod(
    session: &Session,
    defaults: &SessionDefaults,
    keys: &KeyDocument,
) -> Pod {
    let spec = pod_spec(session, defaults);
    let template = session.spec.pod_template.clone().unwrap_or_default();
    let mut metadata = super::metadata(session, names::pod(&session.name_any()));
    let mut labels = template.labels.unwrap_or_default();
    labels.extend(metadata.labels.take().unwrap_or_default());
    let mut annotations = template.annotations.unwrap_or_default();
    let hash = super::hash(&(&spec, &labels, &annotations));
    annotations.insert(names::TEMPLATE_HASH.to_owned(), hash);
    annotations.insert(ANNOTATION.to_owned(), keys.public_annotation());
    metadata.labels = Some(labels);
    metadata.annotations = Some(annotations);
    Pod { metadata, spec: Some(spec), status: None }
}

fn pod_spec(session: &Session, defaults: &SessionDefaults) -> PodSpec {
    let spec = &session.spec;
    let template = spec.pod_template.clone().unwrap_or_default();
    let own_image = spec.image.is_some();
    PodSpec {
        containers: vec![container(session, defaults)],
        init_containers: own_image.then(|| vec![init_container(defaults)]),
        volumes: Some(volumes(session)),
        restart_policy: Some("Always".to_owned()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
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
        image_pull_secrets: spec.image_pull_secrets.as_ref().map(|secrets| {
            secrets
                .iter()
                .map(|secret| LocalObjectReference { name: secret.name.clone() })
                .collect()
        }),
        node_selector: template.node_selector,
        tolerations: template.tolerations,
        runtime_class_name: template.runtime_class_name,
        ..PodSpec::default()
    }
}

fn container(session: &Session, defaults: &SessionDefaults) -> Container {
    let spec = &session.spec;
    let own_image = spec.image.is_some();
    let mut mounts = vec![mount("workspace", WORKSPACE, false), mount("trust", TRUST, true)];
    if own_image {
        mounts.push(mount("fabrica-bin", BINARIES, true));
    }
    Container {
        name: CONTAINER.to_owned(),
        image: Some(spec.image.clone().unwrap_or_else(|| defaults.image.clone())),
        image_pull_policy: Some(defaults.image_pull_policy.clone()),
        command: own_image.then(|| vec![format!("{BINARIES}/fabrica-runtime"), "serve".to_owned()]),
        env: Some(environment(session, defaults)),
        env_from: Some(secrets(session)).filter(|sources| !sources.is_empty()),
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
        resources: Some(spec.resources.clone().unwrap_or_else(|| defaults.resources.clone())),
        security_context: Some(restricted()),
        volume_mounts: Some(mounts),
        working_dir: Some(WORKSPACE.to_owned()),
        ..Container::default()
    }
}

fn init_container(defaults: &SessionDefaults) -> Container {
    Container {
        name: INIT_CONTAINER.to_owned(),
        image: Some(defaults.runtime_image.clone()),
        image_pull_policy: Some(defaults.image_pull_policy.clone()),
        args: Some(vec!["install".to_owned(), BINARIES.to_owned()]),
        command: Some(vec!["/usr/local/bin/fabrica-runtime".to_owned()]),
        resources: Some(defaults.resources.clone()),
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

fn volumes(session: &Session) -> Vec<Volume> {
    let mut workspace = Volume { name: "workspace".to_owned(), ..Volume::default() };
    match session.spec.workspace {
        Some(_) => {
            workspace.persistent_volume_claim = Some(PersistentVolumeClaimVolumeSource {
                claim_name: names::volume_claim(&session.name_any()),
                read_only: None,
            });
        }
        None => workspace.empty_dir = Some(EmptyDirVolumeSource::default()),
    }
    let field = format!("metadata.annotations['{ANNOTATION}']");
    let trust = Volume {
        name: "trust".to_owned(),
        downward_api: Some(DownwardAPIVolumeSource {
            items: Some(vec![DownwardAPIVolumeFile {
                path: "keys".to_owned(),
                field_ref: Some(ObjectFieldSelector { field_path: field, api_version: None }),
                ..DownwardAPIVolumeFile::default()
            }]),
            default_mode: None,
        }),
        ..Volume::default()
    };
    let mut all = vec![workspace, trust];
    if session.spec.image.is_some() {
        all.push(Volume {
            name: "fabrica-bin".to_owned(),
            empty_dir: Some(EmptyDirVolumeSource::default()),
            ..Volume::default()
        });
    }
    all
}

/// What the runtime is told, then the user's own variables.
fn environment(session: &Session, defaults: &SessionDefaults) -> Vec<EnvVar> {
    let spec = &session.spec;
    let repository = spec.repository.clone().unwrap_or_default();
    let git = spec.git.clone().unwrap_or_default();
    let secret = |reference: &Option<fabrica_crds::session::SecretReference>| {
        reference.as_ref().map(|secret| secret.name.clone()).unwrap_or_default()
    };
    let told = [
        ("SESSION_ID", session.uid().unwrap_or_default()),
        ("MODE", "terminal".to_owned()),
        ("WORK_ID", String::new()),
        ("REPO_URL", repository.url),
        ("BRANCH", repository.branch.unwrap_or_default()),
        ("GIT_USER_NAME", git.user_name),
        ("GIT_USER_EMAIL", git.user_email),
        ("HOME", format!("{WORKSPACE}/home")),
        ("FABRICA_NAMESPACE", session.namespace().unwrap_or_default()),
        ("FABRICA_NAME", session.name_any()),
        ("FABRICA_INSTALL_DEPENDENCIES", defaults.install_dependencies.to_string()),
        ("FABRICA_REPOSITORY_SECRET", secret(&repository.secret_ref)),
        ("FABRICA_CREDENTIALS_SECRET", secret(&spec.credentials_ref)),
    ];
    let told = told.into_iter().map(|(name, value)| EnvVar {
        name: name.to_owned(),
        value: Some(value),
        value_from: None,
    });
    told.chain(spec.env.iter().flatten().map(variable)).collect()
}

fn variable(variable: &EnvironmentVariable) -> EnvVar {
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
fn secrets(session: &Session) -> Vec<EnvFromSource> {
    let repository = session
        .spec
        .repository
        .as_ref()
        .and_then(|repository: &Repository| repository.secret_ref.as_ref());
    let credentials = session.spec.credentials_ref.as_ref();
    [(repository, "FABRICA_REPOSITORY_"), (credentials, "FABRICA_CREDENTIAL_")]
        .into_iter()
        .filter_map(|(reference, prefix)| {
            Some(EnvFromSource {
                prefix: Some(prefix.to_owned()),
                secret_ref: Some(SecretEnvSource { name: reference?.name.clone(), optional: None }),
                config_map_ref: None,
            })
        })
        .collect()
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
    use super::super::tests::{defaults, everything, minimal};
    use super::*;
    use std::collections::BTreeMap;

    fn snapshot(session: &Session) -> Pod {
        let mut pod = pod(session, &defaults(), &KeyDocument::default());
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
    fn the_digest_follows_the_spec_and_not_the_keys() {
        let hash = |pod: Pod| pod.annotations()[names::TEMPLATE_HASH].clone();
        let keys: KeyDocument = serde_json::from_value(serde_json::json!({"keys": [{
            "kid": "a", "pkcs8": "", "x": "", "createdAt": "2026-01-01T00:00:00Z", "activeAt": "2026-01-01T00:00:00Z"}]}))
        .unwrap();
        let plain = hash(pod(&minimal(), &defaults(), &KeyDocument::default()));
        assert_eq!(plain, hash(pod(&minimal(), &defaults(), &keys)));
        assert_ne!(plain, hash(pod(&everything(), &defaults(), &keys)));
    }

    #[test]
    fn users_cannot_take_our_labels() {
        let mut session = minimal();
        session.spec.pod_template = Some(fabrica_crds::session::PodTemplate {
            labels: Some(BTreeMap::from([(names::SESSION_ID.to_owned(), "another".to_owned())])),
            ..Default::default()
        });
        let pod = pod(&session, &defaults(), &KeyDocument::default());
        assert_eq!(pod.labels()[names::SESSION_ID], session.uid().unwrap());
    }
}
