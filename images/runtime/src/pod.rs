//! What every part of the running pod shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::Utc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chat::{self, Chat};
use crate::config::Config;
use crate::idle::Activity;
use crate::journal::Journal;
use crate::run::Run;
use crate::run::journal::Journal as Records;
use crate::run::questions::Questions;
use crate::switch::Switch;
use crate::terminal::events::{Events, Session};
use crate::terminal::pty::Shell;
use crate::terminal::shells::Shells;
use crate::trust::Gate;

/// Everything the doors share.
#[derive(Debug)]
pub struct Pod {
    pub config: Config,
    pub gate: Gate,
    pub journal: Arc<Journal>,
    pub activity: Activity,
    /// The attempt, in a Run's pod.
    pub run: Option<Arc<Run>>,
    /// The conversation, in a Chat's pod.
    pub chat: Option<Arc<Chat>>,
    /// The agent, in a Terminal's pod.
    pub switch: Switch,
    pub shells: Shells,
    pub stop: CancellationToken,
    /// Sockets, which outlive the request that opened them.
    pub sockets: TaskTracker,
    pub started: Instant,
    ready: AtomicBool,
    furnished: AtomicBool,
}

impl Pod {
    /// A pod whose start steps are still to come.
    pub fn new(config: Config, run: Option<Arc<Run>>, chat: Option<Arc<Chat>>) -> Self {
        let shell = Shell::find(shell_environment(&config, lends_at_once(&config)));
        let shells = Shells::new(epoch(), shell, config.workspace.clone(), Utc::now())
            .sized(config.size_policy);
        shells.shared.state().events = Events::of(session(&config));
        Self {
            gate: Gate::new(config.trust_keys.clone(), config.session_id.clone()),
            journal: Arc::new(steps(run.as_deref(), chat.as_deref())),
            run,
            chat,
            switch: Switch::default(),
            activity: Activity::default(),
            shells,
            stop: CancellationToken::new(),
            sockets: TaskTracker::new(),
            started: Instant::now(),
            ready: AtomicBool::new(false),
            furnished: AtomicBool::new(false),
            config,
        }
    }

    /// The records that are told instead of start steps alone, where an agent works.
    pub fn records(&self) -> Option<Arc<Records>> {
        let of_run = self.run.as_ref().map(|run| run.journal.clone());
        of_run.or_else(|| self.chat().map(|chat| chat.journal.clone()))
    }

    /// What the agent asks.
    pub fn questions(&self) -> Option<Arc<Questions>> {
        let of_run = self.run.as_ref().map(|run| run.questions.clone());
        of_run.or_else(|| self.chat().map(|chat| chat.questions.clone()))
    }

    /// The conversation: of a Chat, or of a Terminal since its agent was first started.
    pub fn chat(&self) -> Option<Arc<Chat>> {
        self.chat.clone().or_else(|| self.switch.chat())
    }

    /// The conversation, while there is an agent to be spoken to.
    pub fn live_chat(&self) -> Option<Arc<Chat>> {
        self.chat.clone().or_else(|| self.switch.live())
    }

    /// Gives shells that are opened from now on what people may have, or what they may have beside an agent.
    pub fn equip(&self, for_people: bool) {
        self.shells.change(Shell::find(shell_environment(&self.config, for_people)));
    }

    /// Whether a terminal can be used, or the agent be spoken to.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// From now on [`Self::is_ready`].
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    /// Whether the workspace is as terminals are to find it.
    pub fn is_furnished(&self) -> bool {
        self.furnished.load(Ordering::Relaxed)
    }

    /// From now on [`Self::is_furnished`], and so [`Self::is_ready`].
    pub fn set_furnished(&self) {
        self.furnished.store(true, Ordering::Relaxed);
        self.set_ready();
    }
}

fn session(config: &Config) -> Session {
    let Config { namespace, name, session_id: uid, .. } = config.clone();
    Session { namespace, name, uid }
}

fn steps(run: Option<&Run>, chat: Option<&Chat>) -> Journal {
    let of_run = run.map(Run::steps);
    of_run.or_else(|| chat.map(Chat::steps)).unwrap_or_default()
}

/// Whether shells get credentials before the operator has said what becomes of the agent: not where one is to work, or has
/// worked, as it may be back in a moment.
pub fn lends_at_once(config: &Config) -> bool {
    !config.has_agent() && !config.begins_with_agent() && !chat::had_agent(config)
}

/// What shells see besides the configured environment: how git asks for the repository's login.
fn shell_environment(
    config: &Config,
    for_people: bool,
) -> std::collections::BTreeMap<std::ffi::OsString, std::ffi::OsString> {
    let mut environment =
        if for_people { config.shell.clone() } else { config.shell_beside_agent() };
    // Beside an agent, people get no login either: it could read theirs.
    let repository = config.repository.as_ref().filter(|_| for_people);
    let git = repository.map(crate::credential::git_environment).unwrap_or_default();
    // People may be asked for a password; programs of the start steps may not.
    let git = git.into_iter().filter(|(name, _)| name != "GIT_TERMINAL_PROMPT");
    environment.extend(git.map(|(name, value)| (name.into(), value.into())));
    environment
}

/// A number that another process does not have: browsers keep 53 bits of it exactly.
fn epoch() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id()) >> 11
}
