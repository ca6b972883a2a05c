//! `kubectl fabrica`: hands plans to the gateway, follows Runs and stops them, and is a Session's terminal.

pub mod attach;
pub mod browser;
pub mod cluster;
pub mod command;
pub mod copy;
pub mod gateway;
pub mod list;
pub mod output;
pub mod place;
pub mod runs;
pub mod target;
