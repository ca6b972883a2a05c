//! What the tests against a real cluster share: a cluster to talk to, a namespace of one's own, waiting for
//! conditions with a deadline, the gateway as a tool sees it, a terminal client, a git server,
//! a forge, a Prometheus.
//!
//! Everything here talks to real parts. `eval "$(make -s env)"` says where they are.
#![expect(clippy::expect_used, reason = "a test harness fails by panicking")]

pub mod archive;
pub mod chat;
pub mod cluster;
pub mod forge;
pub mod gateway;
pub mod git_server;
pub mod helm;
pub mod page;
pub mod person;
pub mod processes;
pub mod run;
pub mod scenario;
pub mod session;
pub mod terminal;
pub mod traces;
pub mod watching;

pub use cluster::{Cluster, Namespace};
pub use gateway::Gateway;
