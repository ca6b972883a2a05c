//! The chart, rendered by the real helm: what it makes of values, and which values it refuses. Needs no cluster.

mod monitoring;

use anyhow::Result;
use fabrica_e2e::helm::{chart, helm, project, succeed, text};
use serde_json::Value;

/// A name that is not the default one: nothing but labels may follow it.
const RELEASE: &str = "release";
const NAMESPACE: &str = "fabrica-system";
/// The oldest server the chart says it supports. Rendering asks no server.
const KUBERNETES: &str = "1.33.0";

#[test]
fn defaults() {
    insta::assert_snapshot!(render(&["--set", "crds.install=false"]).unwrap());
}

#[test]
fn everything() {
    let values = project().join("e2e/tests/chart/everything.yaml");
    let api = "monitoring.coreos.com/v1";
    let flags = ["--values", &values.to_string_lossy(), "--api-versions", api];
    insta::assert_snapshot!(render(&flags).unwrap());
}

#[test]
fn the_crd_is_the_generated_one_and_stays_on_uninstall() {
    let rendered = render(&["--show-only", "templates/crds/sessions.yaml"]).unwrap();
    let manifest = std::fs::read_to_string(project().join("crds/manifests/sessions.yaml")).unwrap();
    assert!(rendered.contains("helm.sh/resource-policy: keep"), "helm would delete every Session");
    let specification =
        |text: &str| text.split_once("\nspec:\n").map(|(_, rest)| rest.trim_end().to_owned());
    assert!(specification(&manifest).is_some());
    assert_eq!(specification(&rendered), specification(&manifest), "run `make crds`");
}

#[test]
fn the_crd_can_be_left_to_others() {
    let rendered = render(&["--set", "crds.install=false"]).unwrap();
    assert!(!rendered.contains("kind: CustomResourceDefinition"));
}

#[test]
fn nobody_may_read_the_secrets_of_users() {
    let rendered = render(&["--set", "crds.install=false"]).unwrap();
    for document in
        rendered.split("\n---\n").filter(|document| document.contains("\nkind: ClusterRole\n"))
    {
        assert!(!document.contains("resources: [secrets]"), "{document}");
    }
    assert!(!rendered.contains("\"*\"]\n    verbs"), "a rule names its resources");
}

#[test]
fn two_renders_are_equal() {
    assert_eq!(render(&[]).unwrap(), render(&[]).unwrap());
}

#[test]
fn the_lint_is_clean() {
    let output = helm(&["lint", "--strict", chart().as_str()]).unwrap();
    assert!(output.status.success(), "{}", text(&output.stdout));
}

#[test]
fn the_page_of_values_tells_every_value() {
    let schema =
        std::fs::read_to_string(project().join("charts/fabrica/values.schema.json")).unwrap();
    let page = std::fs::read_to_string(project().join("docs/deployment/values.md")).unwrap();
    let mut rows = Vec::new();
    collect("", &serde_json::from_str(&schema).unwrap(), &mut rows);
    assert!(rows.len() > 30, "the schema was not read");
    for (path, meaning) in rows {
        assert!(!meaning.is_empty(), "{path} has no description in values.schema.json");
        let told = page
            .lines()
            .any(|line| line.starts_with(&format!("| `{path}` |")) && line.contains(&meaning));
        assert!(told, "docs/deployment/values.md does not tell: {path}: {meaning}");
    }
}

/// Every value of a schema with its description. Resources are one value, and `global` is Helm's.
fn collect(path: &str, schema: &Value, rows: &mut Vec<(String, String)>) {
    for (name, property) in
        schema["properties"].as_object().into_iter().flatten().filter(|(name, _)| *name != "global")
    {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if property["properties"].is_object() && name != "resources" {
            collect(&path, property, rows);
        } else {
            rows.push((path, property["description"].as_str().unwrap_or_default().to_owned()));
        }
    }
}

#[test]
fn what_is_not_a_value_is_refused_by_its_name() {
    refused("gateway.replica=2", "additional properties 'replica' not allowed");
    refused("operator.image.tgg=1", "additional properties 'tgg' not allowed");
}

#[test]
fn what_is_out_of_range_is_refused() {
    refused("operator.replicas=0", "/operator/replicas");
    refused("gateway.access=Everybody", "/gateway/access");
    refused("gateway.publicUrl=fabrica.example", "/gateway/publicUrl");
    refused("gateway.forges[0].kind=Svn", "/gateway/forges/0/kind");
    refused("gateway.forges[0].url=https://ada:x@git.example", "/gateway/forges/0/url");
    refused("session.egress[0].cidr=example.com", "/session/egress/0/cidr");
    refused("session.egress[0].ports[0]=443", "missing property 'cidr'");
    refused("session.pendingDeadlineSeconds=1", "/session/pendingDeadlineSeconds");
    refused("trust.rotationDays=0", "/trust/rotationDays");
    refused("operator.image.digest=latest", "/operator/image/digest");
    refused("telemetry.otlpEndpoint=collector:4318", "/telemetry/otlpEndpoint");
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    refused("gateway.service.nodePort=30080", "/gateway/service/nodePort");
    refused("gateway.ingress.enabled=true", "/gateway/ingress/host");
    refused("database.install=true,database.existingSecret=mine", "/database/existingSecret");
}

#[test]
fn the_database_is_known_when_there_is_one() {
    assert!(!render(&[]).unwrap().contains("FABRICA_DATABASE_URL"));
    let mine = render(&["--set", "database.existingSecret=mine"]).unwrap();
    assert_eq!(mine.matches("secretKeyRef: { name: mine, key: url }").count(), 2);
    assert!(!mine.contains("kind: StatefulSet"));
    let installed = render(&["--set", "database.install=true"]).unwrap();
    assert_eq!(installed.matches("secretKeyRef: { name: fabrica-database, key: url }").count(), 2);
}

#[test]
fn tokens_of_forges_are_files_that_need_not_be_there() {
    assert!(!render(&[]).unwrap().contains("FABRICA_FORGES"));
    let public = "gateway.forges[0].kind=Gitea,gateway.forges[0].url=https://git.example";
    let rendered = render(&["--set", public]).unwrap();
    assert!(rendered.contains("FABRICA_FORGES") && !rendered.contains("volumeMounts"));
    let rendered = render(&["--set", &format!("{public},gateway.forges[0].tokenSecret=search")]);
    let source = r#"secret: { name: search, optional: true, items: [{ key: token, path: "0" }] }"#;
    assert!(rendered.unwrap().contains(source));
}

/// Asserts that a value is refused with words that name it.
#[track_caller]
fn refused(value: &str, words: &str) {
    let chart = chart();
    let arguments = ["template", RELEASE, &chart, "--kube-version", KUBERNETES, "--set", value];
    match helm(&arguments) {
        Ok(output) => {
            let message = text(&output.stderr);
            assert!(!output.status.success(), "{value} was taken");
            assert!(message.contains(words), "{value}: {words:?} is not in: {message}");
        }
        Err(error) => panic!("{error:#}"),
    }
}

/// All objects of the chart, as text.
fn render(flags: &[&str]) -> Result<String> {
    let chart = chart();
    let mut arguments =
        vec!["template", RELEASE, &chart, "--namespace", NAMESPACE, "--kube-version", KUBERNETES];
    arguments.extend(flags);
    succeed(&arguments)
}
