//! Runs over REST: list, get, create, cancel, retry, delete, answer, their messages and history, and the short forms for
//! a markdown plan.

pub mod answers;
mod archived;
mod find;
pub mod list;
mod long_plan;
pub mod messages;
mod plan;
pub mod short;
pub mod submit;
pub mod write;

pub(super) use find::permitted_by_uid;
