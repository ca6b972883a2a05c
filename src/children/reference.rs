//! Which field of a spec names a Secret or ConfigMap that a pod wants.

use k8s_openapi::api::core::v1::{Container, EnvVarSource, Pod};

/// What the keys of the Secrets that a spec names begin with, as variables.
pub(crate) const REPOSITORY: &str = "FABRICA_REPOSITORY_";
pub(crate) const CREDENTIAL: &str = "FABRICA_CREDENTIAL_";

/// The field that names what the kubelet's words speak of; none when it is none of those that people write.
pub(super) fn field(pod: &Pod, words: &str) -> Option<String> {
    let containers = &pod.spec.as_ref()?.containers;
    containers
        .iter()
        .find_map(|container| whole(container, words).or_else(|| single(container, words)))
}

/// All keys of a Secret are taken.
fn whole(container: &Container, words: &str) -> Option<String> {
    let named = |name: &str| speaks_of(words, name);
    let sources = container.env_from.iter().flatten();
    let mut sources =
        sources.filter(|source| source.secret_ref.as_ref().is_some_and(|it| named(&it.name)));
    sources.find_map(|source| match source.prefix.as_deref()? {
        REPOSITORY => Some("spec.repository.secretRef".to_owned()),
        CREDENTIAL => Some("spec.credentialsRef".to_owned()),
        _ => None,
    })
}

/// A variable of the user's own takes one key.
fn single(container: &Container, words: &str) -> Option<String> {
    let wants = |source: &EnvVarSource| {
        let secret = source.secret_key_ref.as_ref().map(|it| (&it.name, &it.key));
        let config = source.config_map_key_ref.as_ref().map(|it| (&it.name, &it.key));
        let is_key =
            |key: &str| !words.contains("find key") || words.contains(&format!("key {key} in"));
        secret.or(config).is_some_and(|(name, key)| speaks_of(words, name) && is_key(key))
    };
    let found = container.env.iter().flatten().find(|it| it.value_from.as_ref().is_some_and(wants));
    found.map(|variable| format!("spec.env ({})", variable.name))
}

/// The kubelet writes `secret "name" not found`, and `find key x in Secret namespace/name`.
fn speaks_of(words: &str, name: &str) -> bool {
    words.contains(&format!("\"{name}\"")) || words.ends_with(&format!("/{name}"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::login("secret \"git\" not found", Some("spec.repository.secretRef"))]
    #[case::keys("secret \"keys\" not found", Some("spec.credentialsRef"))]
    #[case::own("couldn't find key b in Secret demo/mine", Some("spec.env (B)"))]
    #[case::config("configmap \"tools\" not found", Some("spec.env (C)"))]
    #[case::nobodys("secret \"it\" not found", None)]
    fn a_reference_has_its_field(#[case] words: &str, #[case] expected: Option<&str>) {
        let key = |kind: &str, name: &str, key: &str| json!({kind: {"name": name, "key": key}});
        let container = json!({"name": "run", "envFrom": [
            {"prefix": REPOSITORY, "secretRef": {"name": "git"}}, {"prefix": CREDENTIAL, "secretRef": {"name": "keys"}}],
            "env": [{"name": "A", "valueFrom": key("secretKeyRef", "mine", "a")},
                {"name": "B", "valueFrom": key("secretKeyRef", "mine", "b")},
                {"name": "C", "valueFrom": key("configMapKeyRef", "tools", "c")}]});
        let pod: Pod =
            serde_json::from_value(json!({"metadata": {}, "spec": {"containers": [container]}}))
                .unwrap();
        assert_eq!(field(&pod, words).as_deref(), expected);
    }
}
