//! Run: a plan that an agent carries out on a branch, without anybody watching.

mod spec;
mod status;

pub use spec::{Agent, DesiredState, Driver, MAXIMUM_ATTEMPTS, Run, RunSpec};
pub use status::{Attempt, CONDITIONS, INFRASTRUCTURE_RETRIES, Phase, RunStatus};
