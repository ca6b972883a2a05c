//! The Kubernetes API of Fabrica, group `fabrica.dev`, version `v1alpha1`.
//!
//! The types here are the reference manual: `crdgen` writes the manifests and docs/reference/api.md from them.
//! Rules that the API server enforces stand beside the field they guard, as CEL.

pub mod condition;
pub mod names;
pub mod parts;
pub mod reason;
mod rules;
pub mod run;
mod schema;
pub mod session;
pub mod time;

pub use reason::Reason;
pub use run::{Run, RunSpec, RunStatus};
pub use session::{Session, SessionSpec, SessionStatus};
