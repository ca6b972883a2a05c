//! Run: a plan that an agent carries out on a branch, without anybody watching.

mod escalation;
mod spec;
mod status;

pub use crate::parts::{
    Agent, Answer, Driver, Forge, ForgeRepository, QuestionKind, Todo, TodoStatus, Usage, question,
    todos,
};
pub use escalation::{CONTINUATIONS, Escalation, OnTimeout, OpenQuestion};
pub use spec::{DesiredState, MAXIMUM_ATTEMPTS, PullRequest, Run, RunSpec};
pub use status::{Attempt, CONDITIONS, Faber, INFRASTRUCTURE_RETRIES, Phase, RunStatus};
