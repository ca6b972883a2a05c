//! Terminals: shells that outlive the sockets of those who use them.
//!
//! [`ring`], [`input`], [`window`], [`turns`], [`pace`], [`websocket`] and [`state`] know no I/O: bytes and frames go in, frames come out. At the edges
//! [`pump`] moves bytes between a PTY ([`pty`]) and the state (by a thread where it floods, [`flood`]), [`socket`] between the state and a client, and
//! [`shells`] holds it all together.

mod asked;
mod attach;
pub mod client;
pub mod events;
#[cfg(test)]
mod fixture;
mod flood;
mod flow;
mod handle;
pub mod history;
pub mod input;
mod integration;
pub mod marks;
pub mod measures;
mod news;
mod observed;
mod opening;
mod outgoing;
pub mod pace;
pub mod prompt;
pub mod pty;
mod pump;
mod reference;
pub mod ring;
pub mod screen;
pub mod shared;
pub mod shells;
mod shown;
pub mod size;
mod sizing;
pub mod socket;
pub mod state;
mod telling;
mod title;
pub mod turns;
pub mod typing;
pub mod websocket;
pub mod window;
mod wishes;
