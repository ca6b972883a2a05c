//! What a socket to a Session's pod is made of: which door it goes through, the handshake and its refusal, the decision, the way to the pod, the tunnel, and
//! the list of those that live.

pub mod decision;
pub mod dial;
pub mod door;
pub mod handshake;
pub mod refusal;
pub mod registry;
pub mod tunnel;
