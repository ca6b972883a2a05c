//! Who is asking: a Kubernetes identity from a sealed cookie or a bearer token.

pub mod bearer;
pub mod caller;
pub mod cookie;
pub mod limit;
pub mod login;
pub mod origin;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use k8s_openapi::api::authentication::v1::UserInfo;
use serde::{Deserialize, Serialize};

/// A user as the API server knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    #[serde(rename = "n")]
    pub name: String,
    #[serde(rename = "u", default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    #[serde(rename = "g", default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    #[serde(rename = "e", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Vec<String>>,
}

impl From<UserInfo> for User {
    fn from(info: UserInfo) -> Self {
        Self {
            name: info.username.unwrap_or_default(),
            uid: info.uid.unwrap_or_default(),
            groups: info.groups.unwrap_or_default(),
            extra: info.extra.unwrap_or_default(),
        }
    }
}

/// A user who is logged in, until when.
#[derive(Debug, Clone)]
pub struct Identity {
    pub user: User,
    pub expires: DateTime<Utc>,
    /// Everything a decision depends on, as one key of the decision table.
    pub fingerprint: Arc<str>,
}

impl Identity {
    /// An identity that holds until a time.
    pub fn new(user: User, expires: DateTime<Utc>) -> Self {
        let fingerprint = serde_json::to_string(&user).unwrap_or_else(|_| user.name.clone()).into();
        Self { user, expires, fingerprint }
    }

    /// The user's name.
    pub fn name(&self) -> &str {
        &self.user.name
    }
}
