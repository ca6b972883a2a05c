//! The OpenAPI document. What stands in a Session or Run comes from the CRD's own schema.

use std::borrow::Cow;
use std::marker::PhantomData;

use fabrica_crds::{Run, RunSpec, RunStatus, Session, SessionSpec, SessionStatus};
use kube::Resource;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{OpenApi, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// How a schema names another.
const REFERENCE: &str = "#/components/schemas/";

/// Stands for the CRD's schema of a spec until [`document`] puts that in.
#[derive(Debug, Clone, Copy)]
pub struct SpecSchema<R>(PhantomData<R>);

/// The spec of a Session.
pub type SessionSpecSchema = SpecSchema<Session>;

/// The spec of a Run.
pub type RunSpecSchema = SpecSchema<Run>;

impl<R> PartialSchema for SpecSchema<R> {
    fn schema() -> RefOr<Schema> {
        RefOr::T(Schema::default())
    }
}

impl<R: Resource<DynamicType = ()>> ToSchema for SpecSchema<R> {
    fn name() -> Cow<'static, str> {
        format!("{}Spec", R::kind(&())).into()
    }
}

/// Stands for the CRD's schema of a message.
#[derive(Debug, Clone, Copy)]
pub struct MessageSchema;

impl PartialSchema for MessageSchema {
    fn schema() -> RefOr<Schema> {
        RefOr::T(Schema::default())
    }
}

impl ToSchema for MessageSchema {
    fn name() -> Cow<'static, str> {
        "Message".into()
    }
}

/// The whole document, with the CRD's schemas among its components.
pub fn document(api: &OpenApi) -> Result<String, serde_json::Error> {
    let mut document = serde_json::to_value(api)?;
    document["info"] = json!({
        "title": "Fabrica",
        "description": "Sessions and Runs of Fabrica: list, create, stop and delete them, follow them, and reach the terminals and files of Sessions.",
        "version": env!("CARGO_PKG_VERSION"),
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    let components = &mut document["components"];
    components["securitySchemes"] = json!({
        "cookie": {"type": "apiKey", "in": "cookie", "name": "fabrica_login"},
        "bearer": {"type": "http", "scheme": "bearer", "description": "A Kubernetes token"},
    });
    if let Some(schemas) = components["schemas"].as_object_mut() {
        schemas.remove(MessageSchema::name().as_ref());
    }
    insert::<SessionSpec>(&mut components["schemas"], "SessionSpec");
    insert::<SessionStatus>(&mut components["schemas"], "SessionStatus");
    insert::<RunSpec>(&mut components["schemas"], "RunSpec");
    insert::<RunStatus>(&mut components["schemas"], "RunStatus");
    document["security"] = json!([{"cookie": []}, {"bearer": []}]);
    name_wildcards(&mut document["paths"]);
    prune(&mut document);
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    Ok(text)
}

fn insert<T: JsonSchema>(schemas: &mut Value, name: &str) {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut schema = generator.root_schema_for::<T>().to_value();
    if let Some(object) = schema.as_object_mut() {
        object.remove("components");
        object.remove("title");
    }
    // Schemas of two resources may have one name: the later one is then called after what it stands in.
    let definitions = generator.take_definitions(true);
    let taken: Vec<String> = definitions
        .iter()
        .filter(|(key, value)| schemas.get(*key).is_some_and(|other| other != *value))
        .map(|(key, _)| key.clone())
        .collect();
    let renamed = |mut schema: Value| {
        rename_references(&mut schema, name, &taken);
        schema
    };
    schemas[name] = renamed(schema);
    for (definition, schema) in definitions {
        let own =
            if taken.contains(&definition) { format!("{name}{definition}") } else { definition };
        schemas[own] = renamed(schema);
    }
}

fn rename_references(value: &mut Value, prefix: &str, taken: &[String]) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get_mut("$ref")
                && let Some(name) = reference.strip_prefix(REFERENCE)
                && taken.iter().any(|each| each == name)
            {
                *reference = format!("{REFERENCE}{prefix}{name}");
            }
            object.values_mut().for_each(|each| rename_references(each, prefix, taken));
        }
        Value::Array(items) => {
            for item in items {
                rename_references(item, prefix, taken);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A path may end in a wildcard here, but not in OpenAPI.
fn name_wildcards(paths: &mut Value) {
    let Some(paths) = paths.as_object_mut() else { return };
    *paths = std::mem::take(paths)
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect();
}

/// Takes out what has no meaning here: `null` (an absent field is left out) and the API server's own rules.
fn prune(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|key, _| !key.starts_with("x-kubernetes-"));
            drop_null_type(object);
            object.values_mut().for_each(prune);
            unwrap_single_choice(object);
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn drop_null_type(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(Value::Array(choices)) = object.get_mut(choice) {
            choices.retain(|schema| schema != &json!({"type": "null"}));
        }
    }
}

fn unwrap_single_choice(object: &mut Map<String, Value>) {
    for choice in ["anyOf", "oneOf"] {
        let Some(Value::Array(choices)) = object.get(choice) else { continue };
        let [Value::Object(only)] = choices.as_slice() else { continue };
        let only = only.clone();
        object.remove(choice);
        object.extend(only);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        let current = document(&crate::router::api().1).unwrap();
        assert!(
            committed == current,
            "run: cargo run -p fabrica-gateway -- openapi > gateway/openapi.json"
        );
    }

    #[test]
    fn every_reference_has_its_schema() {
        let text = document(&crate::router::api().1).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name} is missing");
        }
        assert!(schemas["SessionSpec"]["properties"]["repository"].is_object());
        assert!(schemas["RunSpec"]["properties"]["plan"].is_object());
        // Both have a phase, and each its own.
        assert_ne!(schemas["Phase"], schemas["RunStatusPhase"]);
    }
}
