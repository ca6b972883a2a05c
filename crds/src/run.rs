//! Run: a plan that an agent carries out on a branch, without anybody watching.

mod escalation;
mod spec;
mod status;

pub use escalation::{
    Answer, CONTINUATIONS, Escalation, OnTimeout, OpenQuestion, QuestionKind, question,
};
pub use spec::{
    Agent, DesiredState, Driver, Forge, ForgeRepository, MAXIMUM_ATTEMPTS, PullRequest, Run,
    RunSpec,
};
pub use status::{
    Attempt, CONDITIONS, Faber, INFRASTRUCTURE_RETRIES, Phase, RunStatus, Todo, TodoStatus, Usage,
    todos,
};
