//! The first process of every workspace pod: it prepares the workspace, keeps terminals alive, and answers gateway and
//! operator. It holds no credential of the cluster, and what it holds of its user nobody else in the pod can read.

pub mod broker;
pub mod chat;
pub mod children;
pub mod config;
pub mod credential;
pub mod files;
pub mod forge;
pub mod http;
pub mod idle;
pub mod journal;
pub mod pod;
pub mod problem;
mod regular;
pub mod relay;
pub mod run;
pub mod secrets;
pub mod serve;
pub mod signals;
pub mod start;
pub mod switch;
pub mod terminal;
pub mod trust;

/// An error with all of its causes, as one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
