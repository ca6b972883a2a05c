//! PID 1's duty: every process that loses its parent becomes ours, and has to be waited for. Children that we started
//! ourselves are waited for by whoever started them.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, WaitOptions, waitpid};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A signal may stand for several children, and may come before the last of them is dead: so we look again.
const PERIOD: Duration = Duration::from_secs(1);

/// Children with an owner.
static OWNED: Mutex<Option<HashSet<u32>>> = Mutex::new(None);

/// Marks a child as somebody's until dropped.
#[derive(Debug)]
pub struct Owned(u32);

impl Drop for Owned {
    fn drop(&mut self) {
        lock().get_or_insert_default().remove(&self.0);
    }
}

fn lock() -> MutexGuard<'static, Option<HashSet<u32>>> {
    OWNED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a child that the caller waits for. The lock is held meanwhile, so that a child which ends at once is known.
pub fn spawn<T, E>(
    start: impl FnOnce() -> Result<T, E>,
    pid: impl FnOnce(&T) -> Option<u32>,
) -> Result<(T, Owned), E> {
    let mut owned = lock();
    let child = start()?;
    let pid = pid(&child).unwrap_or_default();
    owned.get_or_insert_default().insert(pid);
    Ok((child, Owned(pid)))
}

/// Waits for orphans until told to stop.
pub async fn reap(stop: CancellationToken) {
    let Ok(mut died) = signal(SignalKind::child()) else { return };
    while !stop.is_cancelled() {
        reap_orphans();
        tokio::select! {
            _ = died.recv() => {}
            () = tokio::time::sleep(PERIOD) => {}
            () = stop.cancelled() => {}
        }
    }
}

fn reap_orphans() {
    let owned = lock();
    for pid in dead_children() {
        let known = owned.as_ref().is_some_and(|owned| owned.contains(&pid));
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        if let (false, Some(pid)) = (known, pid) {
            // Waited for by nobody else, so an error only says that it is gone.
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
}

/// Our children that have ended and wait to be waited for.
fn dead_children() -> Vec<u32> {
    let me = std::process::id();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| is_dead_child(*pid, me))
        .collect()
}

fn is_dead_child(pid: u32, parent: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name, in brackets, may hold anything; what follows it does not.
    let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    fields.next() == Some("Z") && fields.next().and_then(|field| field.parse().ok()) == Some(parent)
}
