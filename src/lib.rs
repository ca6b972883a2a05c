//! The operator: turns Session and Run resources into pods.
//!
//! Start reading at [`session::reconcile`], which is one named call for each step: observe (asks API server and pod), plan,
//! deliver (tells the pod), apply (writes to the API server), report, record (tells the pod), announce (writes Events). Plan
//! and report talk to nobody.

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
