//! Session: a workspace pod in which people work.

mod spec;
mod status;

pub use crate::parts::{
    ConfigMapKey, EnvironmentVariable, GitIdentity, Message, MessageType, PodTemplate, Repository,
    SecretKey, SecretReference, VariableSource, Workspace, messages,
};
pub use spec::{Mode, OperatingMode, Session, SessionSpec};
pub use status::{CONDITIONS, Phase, SessionStatus};
