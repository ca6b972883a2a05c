//! Session: a workspace pod in which people work.

mod spec;
mod status;

pub use crate::parts::{
    Agent, Answer, ConfigMapKey, Driver, EnvironmentVariable, Forge, ForgeRepository, GitIdentity,
    Message, MessageType, PodTemplate, QuestionKind, Repository, SecretKey, SecretReference, Todo,
    TodoStatus, Usage, VariableSource, Workspace, messages,
};
pub use spec::{AgentState, Autonomy, Mode, OperatingMode, Session, SessionSpec, Workflow};
pub use status::{
    AGENT_READY, CHAT_READY, CONDITIONS, Conversation, Faber, PendingApproval, Phase, PhaseStatus,
    RECORDED, SessionStatus, TERMINAL_READY, WorkflowOutcome, WorkflowPhase, faber,
};
