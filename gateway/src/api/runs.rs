//! Runs over REST: list, get, create, cancel, retry, delete, their messages, and the short forms for a markdown plan.

pub mod list;
pub mod messages;
mod plan;
pub mod short;
pub mod submit;
pub mod write;
