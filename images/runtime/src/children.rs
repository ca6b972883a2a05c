//! PID 1's duty: every process that loses its parent becomes ours, and has to be waited for. Children that we started
//! ourselves are waited for by whoever started them.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{
    Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A signal may stand for several children, and may come before the last of them is dead: so we look again.
const PERIOD: Duration = Duration::from_secs(1);

/// Processes that were told to go are looked at this often.
const LOOK: Duration = Duration::from_millis(10);
/// Killed processes are gone sooner than this, unless they wait for a broken disk.
const KILLED: Duration = Duration::from_secs(2);

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
    let dead = |process: &Process| process.parent == me && process.is_dead;
    processes().iter().filter(|process| dead(process)).map(|process| process.pid).collect()
}

/// Makes orphans ours even where we are not PID 1.
pub fn adopt_orphans() -> std::io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Ends every process that descends from us: politely, and after a while not. False when some are still there.
pub async fn end_all(grace: Duration) -> bool {
    end(grace, |_| true).await
}

/// The same for what nobody waits for: what a program of ours left behind when it ended.
pub async fn end_orphans(grace: Duration) -> bool {
    end(grace, |child| !lock().as_ref().is_some_and(|owned| owned.contains(&child))).await
}

async fn end(grace: Duration, is_meant: impl Fn(u32) -> bool) -> bool {
    signal_all(&is_meant, Signal::TERM);
    let polite = Instant::now() + grace;
    while !descendants(&is_meant).is_empty() && Instant::now() < polite {
        tokio::time::sleep(LOOK).await;
    }
    let limit = Instant::now() + KILLED;
    // Again and again, for whoever starts processes faster than they are found.
    while signal_all(&is_meant, Signal::KILL) > 0 {
        if Instant::now() > limit {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
    true
}

fn signal_all(is_meant: impl Fn(u32) -> bool, signal: Signal) -> usize {
    let all = descendants(is_meant);
    for pid in all.iter().filter_map(|pid| Pid::from_raw(i32::try_from(*pid).ok()?)) {
        // Whoever is gone meanwhile needs no signal.
        let _ = kill_process(pid, signal);
    }
    all.len()
}

/// The children of ours that are meant, and every living process that they or theirs started.
fn descendants(is_meant: impl Fn(u32) -> bool) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for process in processes().into_iter().filter(|process| !process.is_dead) {
        children.entry(process.parent).or_default().push(process.pid);
    }
    let mut parents = children.remove(&std::process::id()).unwrap_or_default();
    parents.retain(|child| is_meant(*child));
    let mut found = parents.clone();
    while let Some(parent) = parents.pop() {
        let of_parent = children.remove(&parent).unwrap_or_default();
        parents.extend(&of_parent);
        found.extend(of_parent);
    }
    found
}

struct Process {
    pid: u32,
    parent: u32,
    /// It has ended and waits to be waited for.
    is_dead: bool,
}

fn processes() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| read_process(entry.file_name().to_str()?.parse().ok()?))
        .collect()
}

fn read_process(pid: u32) -> Option<Process> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name, in brackets, may hold anything; what follows it does not.
    let mut fields = stat.rsplit(") ").next()?.split(' ');
    let is_dead = matches!(fields.next()?, "Z" | "X");
    Some(Process { pid, parent: fields.next()?.parse().ok()?, is_dead })
}
