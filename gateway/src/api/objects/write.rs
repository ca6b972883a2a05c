//! One object at a time: get, create, change, delete. The API server answers, and its errors are translated.

use axum::Json;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use fabrica_crds::names;
use fabrica_telemetry::{HEADER, Kind as SpanKind, Span, Traceparent};
use http::{HeaderMap, StatusCode, header};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::{Map, Value, json};

use crate::access::{Question, Verb};
use crate::app::{App, SERVICE};
use crate::identity::Identity;
use crate::kubernetes::answer;
use crate::names::{Kind, ObjectKey, check_new_name};
use crate::objects::{Served, View};
use crate::problem::Problem;

/// Whose writes these are, in managedFields.
const FIELD_MANAGER: &str = "fabrica-gateway";

/// An object to create, as its creator names and specifies it.
#[derive(Debug)]
pub struct Draft {
    pub name: Option<String>,
    pub generate_name: Option<String>,
    pub spec: Map<String, Value>,
    /// What the request belongs to, if it says so.
    pub trace: Option<Traceparent>,
}

/// What a request says that it belongs to.
pub fn trace(headers: &HeaderMap) -> Option<Traceparent> {
    Traceparent::parse(headers.get(HEADER)?.to_str().ok()?)
}

/// The object, if the caller may do this to it. Who may not even see it is told that it does not exist.
pub async fn permitted<R: Served>(
    app: &App,
    identity: &Identity,
    verb: Verb,
    key: &ObjectKey,
) -> Result<View<R>, Problem> {
    let question = Question::object(R::KIND, verb, key);
    permitted_in(app, identity, question, living::<R>(app, key)).await
}

/// The same for what a subresource decides, and for an object that is looked for elsewhere too. It is not looked for
/// before the caller may see it.
pub async fn permitted_in<R: Served>(
    app: &App,
    identity: &Identity,
    question: Question,
    found: impl Future<Output = Result<View<R>, Problem>>,
) -> Result<View<R>, Problem> {
    let unknown = || Problem::not_found(&format!("This {}", R::KIND.noun()));
    let Question { namespace, name, .. } = question.clone();
    let seeing = Question::object(R::KIND, Verb::Get, &ObjectKey { namespace, name });
    let allowed = app.access.permits(identity, question.clone()).await?;
    if !allowed && (question == seeing || !app.access.permits(identity, seeing).await?) {
        return Err(unknown());
    }
    let view = found.await?;
    if !app.access.admits_owner(identity, view.owner()) {
        return Err(unknown());
    }
    if !allowed {
        let (verb, noun) = (question.verb.as_str(), R::KIND.noun());
        let (act, part) = match question.subresource {
            Some(part) => ("do this to".to_owned(), format!("/{part}")),
            None => (verb.to_owned(), String::new()),
        };
        return Err(Problem::forbidden(format!(
            "You may not {act} this {noun}; ask for the verb {verb} on {}.fabrica.dev{part} in {}.",
            R::KIND.plural(),
            question.namespace
        )));
    }
    Ok(view)
}

/// The object as the API server has it now.
pub async fn living<R: Served>(app: &App, key: &ObjectKey) -> Result<View<R>, Problem> {
    Ok(answer(api::<R>(app, key).get(&key.name)).await?.into())
}

/// Creates an object that belongs to the caller.
pub async fn create<R: Served>(
    app: &App,
    identity: &Identity,
    namespace: &str,
    draft: Draft,
) -> Result<View<R>, Problem> {
    let asked = Asked::new(app, draft.trace);
    let mut object = manifest::<R>(draft, namespace, identity.name())?;
    if let Some(asked) = &asked {
        let annotations = json!({names::TRACEPARENT: asked.own.to_string()});
        object["metadata"]["annotations"] = annotations;
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let question = Question { name, ..Question::namespace(R::KIND, Verb::Create, namespace) };
    if !app.access.permits(identity, question).await? {
        return Err(refused_in_namespace::<R>(app, identity, namespace).await?);
    }
    let made = create_strictly::<R>(app, namespace, &object).await;
    app.metrics.creation(mode::<R>(&object["spec"]), outcome(&made));
    if let (Some(asked), Some(exporter)) = (asked, &app.traces) {
        exporter.export(asked.span::<R>(&object, &made));
    }
    let view = View::<R>::from(made?);
    let (kind, key, uid) = (R::KIND.noun(), view.key(), &view.metadata.uid);
    tracing::info!(user = identity.name(), kind, %key, uid, "created");
    Ok(view)
}

/// What an object is for, as metrics name it.
fn mode<R: Served>(spec: &Value) -> &'static str {
    match (R::KIND, spec["mode"].as_str()) {
        (Kind::Run, _) => "Run",
        (Kind::Session, Some("Chat")) => "Chat",
        (Kind::Session, _) => "Terminal",
    }
}

fn outcome<R>(made: &Result<R, Problem>) -> &'static str {
    match made {
        Ok(_) => "created",
        Err(problem) if problem.status < 500 => "refused",
        Err(_) => "failed",
    }
}

/// The span of a request that creates something.
struct Asked {
    parent: Traceparent,
    own: Traceparent,
    from: DateTime<Utc>,
}

impl Asked {
    /// None: nobody wants spans.
    fn new(app: &App, trace: Option<Traceparent>) -> Option<Self> {
        app.traces.as_ref()?;
        let parent = trace.unwrap_or_else(Traceparent::fresh);
        Some(Self { parent, own: parent.child(), from: Utc::now() })
    }

    fn span<R: Served>(self, object: &Value, made: &Result<R, Problem>) -> Span {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut attributes = vec![
            ("fabrica.namespace", text(&object["metadata"]["namespace"])),
            ("fabrica.mode", mode::<R>(&object["spec"]).to_owned()),
        ];
        match made {
            Ok(object) => attributes.extend([
                ("fabrica.name", object.name_any()),
                ("fabrica.uid", object.uid().unwrap_or_default()),
            ]),
            Err(problem) => {
                attributes.push(("http.response.status_code", problem.status.to_string()));
            }
        }
        Span {
            service: SERVICE,
            name: format!("create {}", R::kind(&())).into(),
            kind: SpanKind::Server,
            parent: self.parent,
            own: self.own,
            from: self.from,
            to: Utc::now(),
            failed: made.is_err(),
            attributes,
        }
    }
}

/// 201 with the object and where it is.
pub fn created<R: Served>(view: View<R>) -> Response {
    let ObjectKey { namespace, name } = view.key();
    let location = format!("/api/v1/namespaces/{namespace}/{}/{name}", R::KIND.plural());
    (StatusCode::CREATED, [(header::LOCATION, location)], Json(view)).into_response()
}

/// Deletes an object, and its children with it.
pub async fn remove<R: Served>(
    app: &App,
    identity: &Identity,
    key: &ObjectKey,
) -> Result<StatusCode, Problem> {
    let view = permitted::<R>(app, identity, Verb::Delete, key).await?;
    discard(app, &view).await?;
    let (kind, uid) = (R::KIND.noun(), view.metadata.uid);
    tracing::info!(user = identity.name(), kind, %key, uid, "deleted");
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes this very object, and its children with it.
pub async fn discard<R: Served>(app: &App, view: &View<R>) -> Result<(), Problem> {
    let uid = Some(view.metadata.uid.clone());
    let preconditions = Preconditions { uid, resource_version: None };
    let parameters = DeleteParams::background().preconditions(preconditions);
    let key = view.key();
    answer(api::<R>(app, &key).delete(&key.name, &parameters)).await?;
    Ok(())
}

/// Changes fields of the spec.
pub async fn change<R: Served>(
    app: &App,
    view: &View<R>,
    spec: Value,
) -> Result<Json<View<R>>, Problem> {
    let key = view.key();
    // The UID as a precondition: an object that was replaced meanwhile is another one.
    let patch = json!({"metadata": {"uid": view.metadata.uid}, "spec": spec});
    let parameters =
        PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let parameters = parameters.validation_strict();
    let patch = Patch::Merge(patch);
    Ok(Json(answer(api::<R>(app, &key).patch(&key.name, &parameters, &patch)).await?.into()))
}

async fn refused_in_namespace<R: Served>(
    app: &App,
    identity: &Identity,
    namespace: &str,
) -> Result<Problem, Problem> {
    let question = Question::namespace(R::KIND, Verb::List, namespace);
    if app.access.permits(identity, question).await? {
        let plural = R::KIND.plural();
        return Ok(Problem::forbidden(format!(
            "You may not create {plural} here; ask for the verb create on {plural}.fabrica.dev in {namespace}."
        )));
    }
    Ok(Problem::not_found("This namespace"))
}

fn manifest<R: Served>(draft: Draft, namespace: &str, username: &str) -> Result<Value, Problem> {
    let Draft { name, generate_name, mut spec, trace: _ } = draft;
    if let Some(owner) = spec.get("owner").filter(|owner| **owner != json!(username)) {
        let noun = R::KIND.noun();
        let message = format!("must be {username} or absent: a {noun} belongs to who creates it");
        tracing::debug!(%owner, "refused a foreign owner");
        return Err(Problem::invalid("spec.owner", message));
    }
    spec.insert("owner".to_owned(), json!(username));
    let mut metadata = json!({"namespace": namespace});
    match (name, generate_name) {
        (Some(_), Some(_)) => {
            return Err(Problem::invalid(
                "generateName",
                "give either name or generateName, not both",
            ));
        }
        (Some(name), None) => {
            check_new_name("name", &name)?;
            metadata["name"] = json!(name);
        }
        (None, prefix) => {
            let prefix = prefix.unwrap_or_else(|| format!("{}-", R::KIND.noun()));
            check_new_name("generateName", &prefix)?;
            metadata["generateName"] = json!(prefix);
        }
    }
    let (version, kind) = (R::api_version(&()), R::kind(&()));
    Ok(json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}))
}

/// Creates it with strict field validation, which the client's own parameters do not offer for a create.
async fn create_strictly<R: Served>(
    app: &App,
    namespace: &str,
    object: &Value,
) -> Result<R, Problem> {
    let path = R::url_path(&(), Some(namespace));
    let body =
        serde_json::to_vec(object).map_err(|error| Problem::bad_request(error.to_string()))?;
    let request =
        http::Request::post(format!("{path}?fieldValidation=Strict&fieldManager={FIELD_MANAGER}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok(answer(app.client.request(request)).await?)
}

fn api<R: Served>(app: &App, key: &ObjectKey) -> Api<R> {
    Api::namespaced(app.client.clone(), &key.namespace)
}

#[cfg(test)]
mod tests {
    use fabrica_crds::{Run, Session};

    use super::*;

    fn draft(name: Option<&str>, generate_name: Option<&str>, spec: &Value) -> Draft {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let spec = spec.as_object().unwrap().clone();
        Draft { name: own(name), generate_name: own(generate_name), spec, trace: None }
    }

    #[test]
    fn the_requester_becomes_the_owner() {
        let made = |spec| manifest::<Session>(draft(Some("a"), None, &spec), "demo", "dana");
        assert_eq!(made(json!({})).unwrap()["spec"]["owner"], "dana");
        assert_eq!(made(json!({"owner": "eve"})).unwrap_err().errors[0].field, "spec.owner");
        assert!(made(json!({"owner": "dana"})).is_ok());
    }

    #[test]
    fn names_are_given_made_or_refused() {
        let none = json!({});
        let made = manifest::<Session>(draft(None, None, &none), "demo", "dana").unwrap();
        assert_eq!(made["metadata"]["generateName"], "session-");
        let made = manifest::<Run>(draft(None, None, &none), "demo", "dana").unwrap();
        assert_eq!(
            (&made["kind"], &made["metadata"]["generateName"]),
            (&json!("Run"), &json!("run-"))
        );
        for (name, generate_name) in [(Some("a.b"), None), (Some("a"), Some("b-"))] {
            let refused = manifest::<Run>(draft(name, generate_name, &none), "demo", "dana");
            assert_eq!(refused.unwrap_err().status, 422);
        }
    }
}
