//! Sessions: what callers see of them, who sees which, and the watched store of all.

pub mod page;
pub mod store;
pub mod visibility;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fabrica_crds::session::{Mode, Phase};
use fabrica_crds::{Session, SessionSpec, SessionStatus};
use kube::ResourceExt;
use serde::Serialize;
use utoipa::ToSchema;

use crate::names::SessionKey;
use crate::openapi::{SpecSchema, StatusSchema};

/// A Session as the REST API shows it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Session)]
pub struct SessionView {
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
    #[schema(value_type = SpecSchema)]
    pub spec: SessionSpec,
    /// What the operator observed; absent until it has looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = StatusSchema, required = false)]
    pub status: Option<SessionStatus>,
}

impl SessionView {
    /// The Session's name and namespace.
    pub fn key(&self) -> SessionKey {
        SessionKey { namespace: self.namespace.clone(), name: self.name.clone() }
    }

    /// The phase; one that nobody has looked at yet is pending.
    pub fn phase(&self) -> Phase {
        self.status.as_ref().and_then(|status| status.phase).unwrap_or(Phase::Pending)
    }

    /// The mode.
    pub fn mode(&self) -> Mode {
        self.spec.mode
    }

    /// Who created it, as far as it says.
    pub fn owner(&self) -> Option<&str> {
        self.spec.owner.as_deref()
    }
}

impl From<Session> for SessionView {
    fn from(session: Session) -> Self {
        let time = |time| fabrica_crds::time::from_kubernetes(&time);
        Self {
            namespace: session.namespace().unwrap_or_default(),
            name: session.name_any(),
            uid: session.metadata.uid.unwrap_or_default(),
            created_at: session.metadata.creation_timestamp.map(time).unwrap_or_default(),
            deletion_timestamp: session.metadata.deletion_timestamp.map(time),
            generation: session.metadata.generation.unwrap_or_default(),
            resource_version: session.metadata.resource_version.unwrap_or_default(),
            labels: session.metadata.labels.unwrap_or_default(),
            spec: session.spec,
            status: session.status,
        }
    }
}
