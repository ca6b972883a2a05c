//! Writes what is generated from the API's types: manifests, the chart's templates, the reference.
//! `crdgen --check` writes nothing and fails when a file is stale.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fabrica_crds::{Reason, Run, Session};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps,
};
use kube::CustomResourceExt;

fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut stale = Vec::new();
    for (path, text) in files() {
        let target = root.join(&path);
        if std::fs::read_to_string(&target).ok().as_deref() == Some(&text) {
            continue;
        }
        stale.push(path);
        if !check && let Err(error) = write(&target, &text) {
            eprintln!("crdgen: {}: {error}", target.display());
            return ExitCode::FAILURE;
        }
    }
    for path in &stale {
        eprintln!("crdgen: {} {}", if check { "stale:" } else { "wrote" }, path.display());
    }
    if check && !stale.is_empty() {
        eprintln!("crdgen: run `make crds` and commit what it writes");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn write(target: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(target, text)
}

/// Every generated file, by its path from the project's root.
fn files() -> Vec<(PathBuf, String)> {
    let kinds = [Session::crd(), Run::crd()];
    let mut files = Vec::new();
    let mut page = "<!-- Written by crdgen. Do not edit. -->\n".to_owned();
    for (position, crd) in kinds.iter().enumerate() {
        let plural = &crd.spec.names.plural;
        files.push((
            format!("crds/manifests/{plural}.yaml").into(),
            format!("# Written by crdgen. Do not edit.\n{}", yaml(crd)),
        ));
        files.push((format!("charts/fabrica/templates/crds/{plural}.yaml").into(), template(crd)));
        if position > 0 {
            page.push('\n');
        }
        page += &reference(crd);
    }
    files.push(("docs/reference/api.md".into(), page));
    files
}

fn yaml(crd: &CustomResourceDefinition) -> String {
    // Through JSON, so that keys come in one order whatever the types' own is.
    let value = serde_json::to_value(crd).unwrap_or_default();
    serde_saphyr::to_string(&value).unwrap_or_default()
}

/// The manifest as a Helm template: kept on uninstall, and with braces that Helm must not read.
fn template(crd: &CustomResourceDefinition) -> String {
    let mut crd = crd.clone();
    crd.metadata
        .annotations
        .get_or_insert_default()
        .insert("helm.sh/resource-policy".to_owned(), "keep".to_owned());
    let body = yaml(&crd).replace("{{", "{{ \"{{\" }}");
    format!(
        "{{{{- /* Written by crdgen. Do not edit. */}}}}\n{{{{- if .Values.crds.install }}}}\n{body}{{{{- end }}}}\n"
    )
}

/// A kind's part of the reference page: every field with its type and its documentation.
fn reference(crd: &CustomResourceDefinition) -> String {
    let names = &crd.spec.names;
    let mut page = format!(
        "# {}\n\n`{}/v1alpha1`, short name `{}`, category `{}`.\n",
        names.kind,
        crd.spec.group,
        names.short_names.iter().flatten().next().map_or("", String::as_str),
        names.categories.iter().flatten().next().map_or("", String::as_str),
    );
    let version = crd.spec.versions.first();
    let fields = version.and_then(|version| version.selectable_fields.as_ref());
    let fields: Vec<_> = fields
        .into_iter()
        .flatten()
        .map(|field| format!("`{}`", field.json_path.trim_start_matches('.')))
        .collect();
    let _ = writeln!(page, "Field selectors: {}.", fields.join(", "));
    let schema = version.and_then(|version| version.schema.as_ref());
    let Some(root) = schema.and_then(|schema| schema.open_api_v3_schema.as_ref()) else {
        return page;
    };
    for part in ["spec", "status"] {
        if let Some(props) = root.properties.as_ref().and_then(|properties| properties.get(part)) {
            let _ = write!(
                page,
                "\n## {part}\n\n{}\n\n| field | type | meaning |\n|---|---|---|\n",
                text(props)
            );
            rows(&mut page, "", props);
            rules(&mut page, props);
        }
    }
    reasons(&mut page);
    page
}

/// Every reason that a condition can have.
fn reasons(page: &mut String) {
    *page += "\n## Reasons of conditions\n\n| reason | meaning |\n|---|---|\n";
    for reason in Reason::ALL {
        let _ = writeln!(page, "| `{reason}` | {} |", reason.meaning().trim());
    }
    *page += "\nWhat to do about each: [conditions](../operations/conditions.md).\n";
}

/// Depth at which Kubernetes' own types begin; their fields stand in its documentation.
const DEPTH: usize = 2;

fn rows(page: &mut String, prefix: &str, props: &JSONSchemaProps) {
    for (name, field) in props.properties.iter().flatten() {
        let path = format!("{prefix}{name}");
        let _ = writeln!(page, "| `{path}` | {} | {} |", kind(field), text(field));
        if path.matches('.').count() < DEPTH
            && !path.starts_with("resources")
            && !path.starts_with("conditions")
        {
            rows(page, &format!("{path}."), item(field));
        }
    }
}

/// The rules of an object and of everything in it.
fn rules(page: &mut String, props: &JSONSchemaProps) {
    let mut sentences = Vec::new();
    collect_rules(props, &mut sentences);
    if !sentences.is_empty() {
        *page += "\nThe API server refuses:\n\n";
        for sentence in sentences {
            let _ = writeln!(page, "- {sentence}");
        }
    }
}

fn collect_rules(props: &JSONSchemaProps, sentences: &mut Vec<String>) {
    let own = props.x_kubernetes_validations.iter().flatten();
    sentences.extend(own.filter_map(|rule| rule.message.clone()));
    for field in props.properties.iter().flat_map(|properties| properties.values()) {
        collect_rules(item(field), sentences);
    }
}

/// A list's items, or the field itself.
fn item(field: &JSONSchemaProps) -> &JSONSchemaProps {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrArray;
    match &field.items {
        Some(JSONSchemaPropsOrArray::Schema(schema)) => schema,
        _ => field,
    }
}

fn kind(field: &JSONSchemaProps) -> String {
    let name = field.type_.as_deref().unwrap_or("any");
    match &field.enum_ {
        Some(values) => {
            let words: Vec<_> = values
                .iter()
                .filter_map(|value| value.0.as_str())
                .map(|word| format!("`{word}`"))
                .collect();
            words.join(", ")
        }
        None if name == "array" => format!("list of {}", kind(item(field))),
        None => name.to_owned(),
    }
}

fn text(props: &JSONSchemaProps) -> String {
    props.description.as_deref().unwrap_or("").replace('\n', " ").replace('|', "\\|")
}
