//! Sessions and Runs: what callers see of them, who sees which, and the watched store of all.

pub mod archived;
pub mod page;
pub mod store;
pub mod visibility;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;

use chrono::{DateTime, Utc};
use fabrica_crds::parts::Message;
use fabrica_crds::{Run, RunSpec, RunStatus, Session, SessionSpec, SessionStatus, run, session};
use kube::Resource;
use kube::api::ObjectMeta;
use kube::core::NamespaceResourceScope;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Ref, RefBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::names::{Kind, ObjectKey};

/// A resource that the gateway serves. Everything that Sessions and Runs have in common is written once, for this.
pub trait Served:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + DeserializeOwned
    + Clone
    + Debug
    + Send
    + Sync
    + 'static
{
    /// What the user asked for.
    type Spec: Clone + Debug + Serialize + DeserializeOwned + Send + Sync;
    /// What the operator observed.
    type Status: Clone + Debug + Serialize + DeserializeOwned + Send + Sync;

    const KIND: Kind;

    /// Takes the object apart.
    fn into_parts(self) -> (ObjectMeta, Self::Spec, Option<Self::Status>);

    /// Who created it, as far as it says.
    fn owner(spec: &Self::Spec) -> Option<&str>;

    /// The newest of what it told.
    fn messages(status: &Self::Status) -> &[Message];

    /// Whether the archive keeps what it tells.
    fn is_recorded(spec: &Self::Spec, status: Option<&Self::Status>) -> bool;
}

impl Served for Session {
    type Spec = SessionSpec;
    type Status = SessionStatus;

    const KIND: Kind = Kind::Session;

    fn into_parts(self) -> (ObjectMeta, SessionSpec, Option<SessionStatus>) {
        (self.metadata, self.spec, self.status)
    }

    fn owner(spec: &SessionSpec) -> Option<&str> {
        spec.owner.as_deref()
    }

    fn messages(status: &SessionStatus) -> &[Message] {
        &status.messages
    }

    fn is_recorded(spec: &SessionSpec, status: Option<&SessionStatus>) -> bool {
        let had_agent = status.is_some_and(|status| status.starts.is_some());
        spec.mode == session::Mode::Chat || had_agent
    }
}

impl Served for Run {
    type Spec = RunSpec;
    type Status = RunStatus;

    const KIND: Kind = Kind::Run;

    fn into_parts(self) -> (ObjectMeta, RunSpec, Option<RunStatus>) {
        (self.metadata, self.spec, self.status)
    }

    fn owner(spec: &RunSpec) -> Option<&str> {
        spec.owner.as_deref()
    }

    fn messages(status: &RunStatus) -> &[Message] {
        &status.messages
    }

    fn is_recorded(_: &RunSpec, _: Option<&RunStatus>) -> bool {
        true
    }
}

/// A Session as the REST API shows it.
pub type SessionView = View<Session>;

/// A Run as the REST API shows it.
pub type RunView = View<Run>;

/// What every object has.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub namespace: String,
    pub name: String,
    /// The id in labels, logs and the database.
    pub uid: String,
    pub created_at: DateTime<Utc>,
    /// Set while it is being deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub deletion_timestamp: Option<DateTime<Utc>>,
    /// Grows with every change of the spec.
    pub generation: i64,
    /// Changes with every change at all.
    pub resource_version: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false)]
    pub labels: BTreeMap<String, String>,
}

/// An object as the REST API shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(bound = "")]
pub struct View<R: Served> {
    #[serde(flatten)]
    pub metadata: Metadata,
    pub spec: R::Spec,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<R::Status>,
    /// The cluster has it no more: spec and status are the last that the archive knows.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
}

impl<R: Served> View<R> {
    /// The object's name and namespace.
    pub fn key(&self) -> ObjectKey {
        let Metadata { namespace, name, .. } = &self.metadata;
        ObjectKey { namespace: namespace.clone(), name: name.clone() }
    }

    /// Who created it, as far as it says.
    pub fn owner(&self) -> Option<&str> {
        R::owner(&self.spec)
    }
}

impl SessionView {
    /// The phase; one that nobody has looked at yet is pending.
    pub fn phase(&self) -> session::Phase {
        let phase = self.status.as_ref().and_then(|status| status.phase);
        phase.unwrap_or(session::Phase::Pending)
    }

    /// The mode.
    pub fn mode(&self) -> session::Mode {
        self.spec.mode
    }
}

impl RunView {
    /// The phase; one that nobody has looked at yet is pending.
    pub fn phase(&self) -> run::Phase {
        let phase = self.status.as_ref().and_then(|status| status.phase);
        phase.unwrap_or(run::Phase::Pending)
    }
}

impl<R: Served> From<R> for View<R> {
    fn from(object: R) -> Self {
        let time = |time| fabrica_crds::time::from_kubernetes(&time);
        let (metadata, spec, status) = object.into_parts();
        let metadata = Metadata {
            namespace: metadata.namespace.unwrap_or_default(),
            name: metadata.name.unwrap_or_default(),
            uid: metadata.uid.unwrap_or_default(),
            created_at: metadata.creation_timestamp.map(time).unwrap_or_default(),
            deletion_timestamp: metadata.deletion_timestamp.map(time),
            generation: metadata.generation.unwrap_or_default(),
            resource_version: metadata.resource_version.unwrap_or_default(),
            labels: metadata.labels.unwrap_or_default(),
        };
        Self { metadata, spec, status, archived: false }
    }
}

/// The schema of what every object has, with the CRD's own for spec and status.
impl<R: Served> PartialSchema for View<R> {
    fn schema() -> RefOr<Schema> {
        let mut schema = Metadata::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            let kind = R::kind(&());
            let spec = Ref::from_schema_name(format!("{kind}Spec"));
            let status = RefBuilder::new()
                .ref_location_from_schema_name(format!("{kind}Status"))
                .description(Some("What the operator observed; absent until it has looked."))
                .build();
            object.properties.insert("spec".to_owned(), spec.into());
            object.properties.insert("status".to_owned(), status.into());
            object.required.push("spec".to_owned());
            if R::KIND == Kind::Run {
                object.properties.insert("archived".to_owned(), archived_schema());
            }
            object.description = Some(format!("A {kind} as the REST API shows it."));
        }
        schema
    }
}

/// Of Runs alone: nothing else is archived whole.
fn archived_schema() -> RefOr<Schema> {
    let description =
        "Set when the cluster has it no more: spec and status are the last that the archive knows.";
    ObjectBuilder::new().schema_type(Type::Boolean).description(Some(description)).into()
}

impl<R: Served> ToSchema for View<R> {
    fn name() -> Cow<'static, str> {
        R::kind(&())
    }
}
