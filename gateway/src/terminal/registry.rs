//! Live.
#[derive(Debug, Default)]
pub struct LiveSockets;
