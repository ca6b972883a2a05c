//! Who is asking: a Kubernetes identity from a sealed cookie or a bearer token.

pub mod attempts;
pub mod bearer;
pub mod cookie;
pub mod flight;
pub mod limit;
pub mod origin;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use k8s_openapi::api::authentication::v1::UserInfo;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

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

/// Why nobody could be found behind a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    NotLoggedIn,
    /// The API server does not take the token, or not any more.
    InvalidToken,
    /// A cookie alone does not prove that our page sent the request.
    Origin,
    /// Too many failures from this address.
    TooMany {
        seconds: u64,
    },
    /// The API server or the cookie's key is away.
    Unavailable,
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotLoggedIn => Self::not_logged_in(),
            Refused::InvalidToken => Self::invalid_token(),
            Refused::Origin => Self::forbidden(
                "The Origin of this request is missing or is not this site; tools should send Authorization: Bearer.",
            ),
            Refused::TooMany { seconds } => {
                Self::too_many("Too many failed logins; wait a moment.", seconds)
            }
            Refused::Unavailable => {
                Self::unavailable("Your login cannot be checked now; try again in a moment.")
            }
        }
    }
}
