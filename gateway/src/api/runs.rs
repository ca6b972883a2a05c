//! Runs over REST: list, get, create, cancel, retry, delete, answer, their messages and history, and the short forms for
//! a markdown plan.

pub mod answers;
mod archived;
mod key;
pub mod list;
mod long_plan;
pub mod messages;
mod plan;
pub mod short;
pub mod submit;
pub mod write;
