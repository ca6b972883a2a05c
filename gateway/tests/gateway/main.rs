//! The gateway as its callers see it, before a fake API server and a stand-in for the runtime.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod archive;
mod chat;
mod common;
mod events;
mod files;
mod forges;
mod memory;
mod network;
mod rest;
mod runs;
mod sockets;
