//! The one state that every task of the terminals looks at.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::state::State;

/// The state, as every task holds it. Never locked across an await.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Mutex<State>>);

impl Shared {
    /// Shares a state.
    pub fn new(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    /// The state. One thread serves the runtime, so nobody waits here.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
