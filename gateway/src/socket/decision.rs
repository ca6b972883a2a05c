//! Who may open a socket, and as what.

use std::time::Duration;

use fabrica_protocol::assertion::Role;

use super::door::Door;
use super::refusal::Refusal;
use crate::access::{Access, AccessError, Question, Verb};
use crate::identity::Identity;
use crate::names::{Kind, ObjectKey};

/// How soon a client should try again when nothing can be decided.
const UNDECIDED: Duration = Duration::from_secs(2);

/// What somebody may do through an open door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    pub role: Role,
    /// Whether they may answer what the agent asks. Never at a terminal.
    pub answers: bool,
}

impl Rights {
    /// Whether they hold all of the others.
    pub fn cover(self, others: Self) -> bool {
        (self.role == Role::Control || self.role == others.role) && self.answers >= others.answers
    }
}

/// What somebody may do with a Session's terminals, or its chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    Rights(Rights),
    /// They may see the Session, but not this part of it.
    SessionOnly,
    Nothing,
}

/// Decides by `create` (control) and `get` (view) on `sessions/terminal` or `sessions/chat`, by `create` on
/// `sessions/answers`, and by `get` on the Session.
pub async fn decide(
    access: &Access,
    identity: &Identity,
    key: &ObjectKey,
    door: Door,
) -> Result<Grant, AccessError> {
    let may = |verb| access.allows(identity, Question::part(Kind::Session, door.name(), verb, key));
    let answers = async {
        match door {
            Door::Terminal => Ok(false),
            Door::Chat => {
                let question = Question::part(Kind::Session, "answers", Verb::Create, key);
                access.allows(identity, question).await
            }
        }
    };
    let (control, view, answers) = futures::try_join!(may(Verb::Create), may(Verb::Get), answers)?;
    if control {
        return Ok(Grant::Rights(Rights { role: Role::Control, answers }));
    }
    if view {
        return Ok(Grant::Rights(Rights { role: Role::View, answers }));
    }
    let session = access.allows(identity, Question::object(Kind::Session, Verb::Get, key)).await?;
    Ok(if session { Grant::SessionOnly } else { Grant::Nothing })
}

/// The rights of a new socket, or why there is none.
pub async fn rights(
    access: &Access,
    identity: &Identity,
    key: &ObjectKey,
    door: Door,
) -> Result<Rights, Refusal> {
    match decide(access, identity, key, door).await {
        Ok(Grant::Rights(rights)) => Ok(rights),
        Ok(Grant::SessionOnly) => Err(Refusal::forbidden(match door {
            Door::Terminal => "you need the verb create or get on sessions/terminal",
            Door::Chat => "you need the verb create or get on sessions/chat",
        })),
        Ok(Grant::Nothing) => Err(Refusal::not_found()),
        Err(error) => {
            tracing::warn!(error = %crate::chain(&error), "access to a socket could not be decided");
            Err(Refusal::not_ready(UNDECIDED, "your rights cannot be checked now"))
        }
    }
}
