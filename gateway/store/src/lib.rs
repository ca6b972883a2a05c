//! The archive in PostgreSQL: what Sessions and Runs were, said and cost. It outlives objects and pods.
//!
//! Below stands what others stand on: [`error`], [`message`] (a journal's record as a message), `copy` (rows on the
//! wire). [`connection::Store`] is the connection; every other module gives it one kind of question.

mod attempts;
mod checkpoints;
mod connection;
mod copy;
mod error;
mod ingest;
mod listen;
mod message;
mod objects;
mod read;
mod retention;
mod search;
mod specs;
mod usage;

pub use attempts::AttemptProgress;
pub use checkpoints::Checkpoint;
pub use connection::Store;
pub use error::StoreError;
pub use ingest::{Batch, Ingested};
pub use listen::{CHANNEL, Notice};
pub use message::{Content, MessageType, NewMessage};
pub use objects::{Object, ObjectFilter};
pub use read::{Message, PAGE};
pub use search::{Found, LOOKED_THROUGH};
pub use specs::Spec;
pub use usage::Usage;
