//! Activity, and what the kernel says about memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fabrica_protocol::runtime::{EventType, Idle, Workspace};
use tokio_util::sync::CancellationToken;

use crate::journal::Journal;
use crate::terminal::shells::Shells;
use crate::terminal::state::Counters;

/// Marks that doors and start steps write and `/v1/idle` reads.
#[derive(Debug)]
pub struct Activity {
    started_at: DateTime<Utc>,
    /// Milliseconds since the epoch.
    last: AtomicU64,
    /// The kernel's count when we started: a container that comes back keeps its cgroup.
    killed_before: u64,
    workspace: Mutex<Workspace>,
}

impl Default for Activity {
    fn default() -> Self {
        let started_at = Utc::now();
        Self {
            started_at,
            last: AtomicU64::new(milliseconds(started_at)),
            killed_before: oom_kills(),
            workspace: Mutex::default(),
        }
    }
}

fn milliseconds(time: DateTime<Utc>) -> u64 {
    u64::try_from(time.timestamp_millis()).unwrap_or_default()
}

impl Activity {
    /// A person did something.
    pub fn touch(&self) {
        self.last.fetch_max(milliseconds(Utc::now()), Ordering::Relaxed);
    }

    /// What became of the repository.
    pub fn set_workspace(&self, workspace: Workspace) {
        *self.workspace.lock().unwrap_or_else(PoisonError::into_inner) = workspace;
    }

    /// What became of it, as far as is known.
    pub fn workspace(&self) -> Workspace {
        self.workspace.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The answer of `/v1/idle`. A job in the foreground and a visible page are activity.
    pub fn report(&self, shells: &Shells) -> Idle {
        let busy = shells.is_busy();
        let state = shells.shared.state();
        let visible =
            state.clients.values().filter(|client| client.is_greeted() && client.visible).count();
        self.last.fetch_max(milliseconds(state.last_input), Ordering::Relaxed);
        if busy || visible > 0 {
            self.touch();
        }
        let last = i64::try_from(self.last.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        let Counters { reconnects, returns, resumes, bytes_in, bytes_out } = state.counters;
        Idle {
            started_at: self.started_at,
            last_activity_at: DateTime::from_timestamp_millis(last).unwrap_or(self.started_at),
            busy,
            clients: number(state.clients.len()),
            visible_clients: number(visible),
            terminals: number(shells.alive()),
            oom_kills: oom_kills().saturating_sub(self.killed_before),
            reconnects,
            returns,
            resumes,
            terminal: state.measures.counted.clone(),
            bytes_in,
            bytes_out,
            workspace: self.workspace(),
            journal: None,
            agent: None,
            conversation: None,
        }
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Tells when the kernel kills a process for lack of memory. Where the kernel kills the whole container at once
/// (cgroup v2 as kubelets set it), nobody is left to tell, and the kubelet says OOMKilled.
pub async fn watch_memory(journal: Arc<Journal>, stop: CancellationToken) {
    /// A file of the kernel is read so often: cheap, and soon enough for a sentence.
    const PERIOD: Duration = Duration::from_secs(1);
    let mut known = oom_kills();
    while !stop.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = stop.cancelled() => {}
        }
        let now = oom_kills();
        if now > known {
            let count = now - known;
            journal.tell(
                "memory",
                EventType::Failed,
                format!("The kernel killed {count} of the Session's processes: together they needed more memory than resources.limits.memory allows."),
            );
        }
        known = now;
    }
}

/// Processes of this container killed for lack of memory, by cgroup v2 or v1; 0 where neither can be read.
pub fn oom_kills() -> u64 {
    let files = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];
    files.iter().find_map(|file| count(&std::fs::read_to_string(file).ok()?)).unwrap_or(0)
}

fn count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hierarchies_count_kills() {
        assert_eq!(count("low 0\nhigh 0\nmax 5\noom 2\noom_kill 3\noom_group_kill 0\n"), Some(3));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n"), Some(7));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\n"), None);
    }
}
