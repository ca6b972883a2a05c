//! What Sessions and Runs do alike over REST: lists, and one object at a time.

pub mod list;
pub mod write;
