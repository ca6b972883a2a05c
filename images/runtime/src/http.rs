//! The doors of the runtime, and who may use which.

mod problem;
mod routes;
mod upgrade;

pub use problem::Problem;
pub use routes::router;
