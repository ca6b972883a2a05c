//! Session: a workspace pod in which people work.

mod spec;
mod status;

pub use crate::parts::{
    Agent, Answer, ConfigMapKey, Driver, EnvironmentVariable, Forge, ForgeRepository, GitIdentity,
    Message, MessageType, PodTemplate, QuestionKind, Repository, SecretKey, SecretReference, Todo,
    TodoStatus, Usage, VariableSource, messages,
};
pub use spec::{Autonomy, Mode, OperatingMode, Session, SessionSpec, Workflow, Workspace};
pub use status::{
    CONDITIONS, Conversation, Faber, PendingApproval, Phase, PhaseStatus, RECORDED, SessionStatus,
    WorkflowPhase, faber,
};
