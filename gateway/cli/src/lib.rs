//! `kubectl fabrica`: hands plans to the gateway, follows Runs, and stops them.

pub mod cluster;
pub mod command;
pub mod gateway;
pub mod output;
