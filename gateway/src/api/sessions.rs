//! Sessions over REST: list, get, create, suspend, resume, delete.

pub mod list;
pub mod write;
