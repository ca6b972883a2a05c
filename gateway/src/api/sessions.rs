//! Sessions over REST: list, get, create, suspend, resume, delete, answer, their messages and what is found in them, and the short forms.

pub mod agent;
pub mod answers;
pub mod list;
pub mod messages;
pub mod search;
pub mod short;
pub mod write;
