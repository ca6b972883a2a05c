//! What Sessions and Runs do alike over REST: lists, and one object at a time.

pub mod answers;
pub mod find;
pub mod list;
pub mod message;
pub mod reading;
pub mod write;
