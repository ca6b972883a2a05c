//! Who may open a terminal, and as what.

use std::time::Duration;

use fabrica_protocol::assertion::Role;

use super::refusal::Refusal;
use crate::access::{Access, AccessError, Question, Verb};
use crate::identity::Identity;
use crate::names::{Kind, ObjectKey};

/// How soon a client should try again when nothing can be decided.
const UNDECIDED: Duration = Duration::from_secs(2);

/// What somebody may do with a Session's terminals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    Role(Role),
    /// They may see the Session, but not its terminals.
    SessionOnly,
    Nothing,
}

/// Decides by `create` (control) and `get` (view) on `sessions/terminal`, and by `get` on the Session.
pub async fn decide(
    access: &Access,
    identity: &Identity,
    key: &ObjectKey,
) -> Result<Grant, AccessError> {
    let (control, view) = futures::try_join!(
        access.allows(identity, Question::terminal(Verb::Create, key)),
        access.allows(identity, Question::terminal(Verb::Get, key)),
    )?;
    if control {
        return Ok(Grant::Role(Role::Control));
    }
    if view {
        return Ok(Grant::Role(Role::View));
    }
    let session = access.allows(identity, Question::object(Kind::Session, Verb::Get, key)).await?;
    Ok(if session { Grant::SessionOnly } else { Grant::Nothing })
}

/// The role of a new socket, or why there is none.
pub async fn role(access: &Access, identity: &Identity, key: &ObjectKey) -> Result<Role, Refusal> {
    match decide(access, identity, key).await {
        Ok(Grant::Role(role)) => Ok(role),
        Ok(Grant::SessionOnly) => {
            Err(Refusal::forbidden("you need the verb create or get on sessions/terminal"))
        }
        Ok(Grant::Nothing) => Err(Refusal::not_found()),
        Err(error) => {
            tracing::warn!(error = %crate::chain(&error), "access to a terminal could not be decided");
            Err(Refusal::not_ready(UNDECIDED, "your rights cannot be checked now"))
        }
    }
}
