//! A Chat: people talk to an agent, which may work a work item through phases. What is said and done is a journal; a
//! client is shown the journal, so it sees the same whenever it comes.

mod agent;
mod approval;
mod clients;
mod commands;
mod conversation;
mod counters;
pub(crate) mod desk;
pub(crate) mod engine;
mod ground;
mod handle;
mod known;
mod life;
mod purse;
mod release;
pub mod socket;
mod switched;
mod tools;
mod view;
mod words;
mod workflow;

pub(crate) use self::commands::show;
pub use self::handle::{Chat, Refused};
pub use self::life::live;
pub use self::switched::{had_agent, lacking};
