//! The operator: turns Session and Run resources into pods.
//!
//! Start reading at [`session::reconcile`]: five named calls, of which only the first and the fourth talk to anybody.

pub mod admin;
pub mod app;
mod children;
pub mod chronicle;
pub mod config;
mod controller;
pub mod lease;
pub mod metrics;
pub mod recorder;
pub mod retry;
pub mod run;
pub mod runtime_client;
pub mod session;
pub mod telemetry;
mod trace;
pub mod trust;
