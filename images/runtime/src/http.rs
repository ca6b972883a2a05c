//! The doors of the runtime, and who may use which.

mod agent;
mod caller;
mod chat;
mod routes;
mod run;
mod upgrade;

pub use routes::router;
