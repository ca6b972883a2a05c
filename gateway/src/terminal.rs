//! What a terminal's socket is made of: the handshake and its refusal, the decision, the way to the pod, the tunnel, and
//! the list of those that live.

pub mod decision;
pub mod dial;
pub mod handshake;
pub mod refusal;
pub mod registry;
pub mod tunnel;
