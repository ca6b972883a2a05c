//! Terminals: shells that outlive the sockets of those who use them.
//!
//! [`ring`], [`input`], [`websocket`] and [`state`] know no I/O: bytes and frames go in, frames come out. At the edges
//! [`pump`] moves bytes between a PTY ([`pty`]) and the state, [`socket`] between the state and a client, and
//! [`shells`] holds it all together.

pub mod client;
mod handle;
pub mod history;
pub mod input;
mod outgoing;
pub mod pty;
mod pump;
pub mod ring;
pub mod screen;
pub mod shared;
pub mod shells;
pub mod size;
pub mod socket;
pub mod state;
pub mod websocket;
