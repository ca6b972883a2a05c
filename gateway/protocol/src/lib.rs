//! The wire types between browsers, gateway, operator and the runtime in the pod. No I/O, no Kubernetes.
//!
//! - [`assertion`]: the short signed statement that lets a request into a pod
//! - [`trust`]: the keys behind it, as the operator's Secret and a pod's annotation hold them
//! - [`chat`]: the messages of a conversation's socket
//! - [`kterm`]: the frames of a terminal socket
//! - [`runtime`]: what the runtime tells the operator about its start, its idleness and its end
//! - [`recovery`]: what helps after an error, for whoever tells it
//! - [`run`]: the journal of a pod with an agent, and the verdict of a Run

pub mod assertion;
pub mod chat;
pub mod kterm;
pub mod recovery;
pub mod run;
pub mod runtime;
pub mod trust;
