//! Runs over REST: list, get, create, cancel, retry, delete, answer, their messages and history, and the short forms for
//! a markdown plan.

pub mod answers;
mod archived;
mod find;
pub mod list;
mod long_plan;
pub mod message;
pub mod messages;
mod plan;
mod reading;
pub mod short;
pub mod submit;
pub mod write;

use http::StatusCode;

pub(super) use find::permitted_by_uid;
pub(super) use reading::{Cursor, News, current};

use crate::problem::Problem;

/// 409: somebody asks for what only a database keeps.
fn nothing_kept() -> Problem {
    let detail = "There is no database here, so nobody knows which messages are read.";
    Problem::new(StatusCode::CONFLICT, detail)
}
