//! The pod of a Session.

use fabrica_crds::{Session, names};
use fabrica_protocol::trust::KeyDocument;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::children::pod::{self as common, Workload};
use crate::children::volume_claim::volume;
use crate::config::SessionDefaults;

/// The runtime ends within 5 s; this leaves it twice that.
const GRACE_SECONDS: i64 = 10;
/// The one container, by its name.
pub(in crate::session) const CONTAINER: &str = "session";

/// The pod of a Session.
pub(in crate::session) fn pod(
    session: &Session,
    defaults: &SessionDefaults,
    keys: &KeyDocument,
) -> Pod {
    let spec = &session.spec;
    let repository = spec.repository.clone().unwrap_or_default();
    let mut told = common::told(session, "terminal", &repository, spec.git.as_ref(), defaults);
    told.push(("FABRICA_CREDENTIALS_SECRET", common::name_of(spec.credentials_ref.as_ref())));
    let workload = Workload {
        metadata: super::metadata(session, names::pod(&session.name_any())),
        container: CONTAINER,
        image: spec.image.as_ref(),
        image_pull_secrets: spec.image_pull_secrets.as_ref(),
        resources: spec.resources.as_ref(),
        template: spec.pod_template.clone().unwrap_or_default(),
        environment: common::environment(told, spec.env.as_ref()),
        secrets: common::secrets(&[
            (repository.secret_ref.as_ref(), "FABRICA_REPOSITORY_"),
            (spec.credentials_ref.as_ref(), "FABRICA_CREDENTIAL_"),
        ]),
        workspace: volume(spec.workspace.as_ref(), names::volume_claim(&session.name_any())),
        extra: None,
        restart_policy: "Always",
        grace_seconds: GRACE_SECONDS,
    };
    common::pod(workload, defaults, keys)
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
