//! What is served under `/api/v1`: one file for each part of it, and what its handlers share.

pub mod body;
pub mod caller;
pub mod events;
pub mod files;
pub mod forges;
pub mod login;
pub mod named;
pub mod objects;
pub mod runs;
pub mod sessions;
pub mod socket;
