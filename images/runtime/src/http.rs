//! The doors of the runtime, and who may use which.

mod caller;
mod routes;
mod upgrade;

pub use routes::router;
