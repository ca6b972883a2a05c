//! The gateway: the one door to Fabrica for browsers and tools.
//!
//! It is stateless: logins are sealed cookies, decisions are the API server's, Sessions and Runs are watched, and a terminal is a
//! raw tunnel to its pod. Any replica can serve any request.
//!
//! A request goes through [`server`] (connections) and [`router`] (routes and headers) to a handler in [`api`], or to
//! [`ui`]. Handlers share one [`app`]; what they call does not know it: [`identity`] finds who asks, [`access`] decides,
//! [`objects`] knows what there is, [`pods`] and [`terminal`] reach it.

pub mod access;
pub mod admin;
pub mod api;
pub mod app;
pub mod archive;
pub mod cache;
pub mod config;
pub mod flags;
pub mod forges;
pub mod gateway;
pub mod identity;
pub mod kubernetes;
pub mod metrics;
pub mod misread;
pub mod names;
pub mod namespaces;
pub mod objects;
pub mod openapi;
pub mod pods;
pub mod problem;
pub mod quota;
pub mod recheck;
pub mod router;
pub mod server;
pub mod socket;
pub mod trust;
pub mod ui;

/// An error with all its causes, for a log line.
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
