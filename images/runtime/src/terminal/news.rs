//! What there is to tell clients about terminals, and nobody was told yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

/// What there is to tell.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Wakes who tells.
    pub(super) wake: Arc<Notify>,
    /// The list of terminals changed by what a program said: a title, or a folder.
    pub(super) listed: bool,
    /// Terminals that somebody does not watch and that have printed, and whether they rang.
    pub(super) stirred: BTreeMap<u16, bool>,
}
