//! The gateway as its callers see it, before a fake API server and a stand-in for the runtime.

mod common;
mod events;
mod files;
mod rest;
mod terminal;
