//! Session: a workspace pod in which people work.

mod schema;
mod spec;
mod status;

pub use spec::{
    ConfigMapKey, EnvironmentVariable, GitIdentity, Mode, OperatingMode, PodTemplate, Repository,
    SecretKey, SecretReference, Session, SessionSpec, VariableSource, Workspace,
};
pub use status::{CONDITIONS, Message, MessageType, Phase, SessionStatus, messages};
