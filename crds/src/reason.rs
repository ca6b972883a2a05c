//! Why a condition is as it is: every reason there is, in one place.

use std::fmt;

/// Makes the enum, the list of all, and the words for each: variant, spelling and meaning cannot part.
macro_rules! reasons {
    ($($(#[doc = $meaning:literal])+ $name:ident,)+) => {
        /// The reason of a condition. People and tools match by its spelling, so one that was released stays.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[doc = $meaning])+ $name,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// As the API spells it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// What it means, for the reference.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($meaning),+),)+
                }
            }
        }
    };
}

reasons! {
    /// A terminal can be used, and in mode Chat the agent be spoken to.
    Ready,
    /// The pod is being made, placed, or its images pulled; or the repository is being prepared.
    Pending,
    /// The runtime takes its start steps.
    Starting,
    /// The Session should run.
    Running,
    /// The image cannot be pulled.
    ImagePullFailed,
    /// No node takes the pod.
    Unschedulable,
    /// The namespace's quota is used up.
    QuotaExceeded,
    /// A Secret that the Session names is not there.
    SecretMissing,
    /// A Secret that the Session names lacks a key.
    SecretKeyMissing,
    /// A ConfigMap that the spec names, or its key, is not there.
    ConfigMissing,
    /// No volume can be had yet.
    VolumePending,
    /// Pending for longer than the deadline, without a cause that has a name of its own.
    PendingDeadlineExceeded,
    /// git could not clone.
    CloneFailed,
    /// The image has no git, and a repository is set.
    GitMissing,
    /// The runtime could not be copied into the pod.
    InitCrashed,
    /// The container ended, or could not be started.
    ContainerCrashed,
    /// The container needed more memory than its limit.
    OOMKilled,
    /// The node put the pod out.
    Evicted,
    /// The node does not answer.
    NodeLost,
    /// An object of a child's name belongs to something else.
    NameConflict,
    /// The API server refused a child.
    Rejected,
    /// Stopped by spec.operatingMode.
    Suspended,
    /// Stopped after spec.idleTimeoutSeconds without activity.
    IdleTimeout,
    /// Stopped at spec.shutdownTime.
    ShutdownTime,
    /// No repository was asked for.
    NoRepository,
    /// The repository is in the workspace.
    Cloned,
    /// The dependencies could not be installed; the terminal opens all the same.
    DependenciesFailed,
    /// The pod was made from another template than the present one.
    TemplateChanged,
    /// The pod is as the spec says.
    UpToDate,
    /// Other Runs of the namespace go first.
    Queued,
    /// The plan was carried out and its branch pushed.
    Succeeded,
    /// The plan was carried out and changed nothing.
    NoChanges,
    /// The agent failed.
    AgentFailed,
    /// The Run's deadline has passed.
    DeadlineExceeded,
    /// Somebody cancelled the Run.
    Cancelled,
    /// The remote did not take the branch.
    PushRejected,
    /// What was to be pushed holds a secret of the Run.
    SecretInCommit,
    /// The branch is there already, and not by this Run.
    BranchExists,
    /// A branch that the spec names to begin from, or to merge into, is not there.
    BranchMissing,
    /// There is no plan to carry out.
    PlanMissing,
    /// The runtime was told no repository.
    RepositoryMissing,
    /// The pod was told to end by something else than the Run.
    PodEvicted,
    /// The pod of an attempt is gone.
    PodLost,
    /// Everything that was told is in the archive.
    AllRecorded,
    /// It goes on, and what it tells is written into the archive.
    Recording,
    /// Something that was told is not in the archive yet.
    Behind,
    /// A pod went before everything that it told was in the archive.
    RecordsLost,
    /// There is no database, so nothing is archived.
    NoDatabase,
    /// The branch is pushed, but its pull request could not be opened.
    PullRequestFailed,
    /// The work item could not be read.
    WorkItemFailed,
    /// The forge cannot be used: its address, or what is known of it, is not enough.
    ForgeUnusable,
    /// The model's service does not take the key.
    AuthRejected,
    /// The account at the model's service is empty.
    CreditExhausted,
    /// The Run's budget is used up.
    BudgetExceeded,
    /// The model was asked as often as the Run allows.
    MaxTurns,
    /// The model has no known price.
    ModelUnpriced,
    /// The model's service does not know the model.
    ModelUnknown,
    /// The image has no agent.
    AgentMissing,
    /// A key that the agent needs is not there.
    CredentialsMissing,
    /// What the agent was told cannot be.
    AgentMisconfigured,
    /// The model's service takes no more for now.
    RateLimited,
    /// The model's service does not answer.
    ModelUnavailable,
    /// The agent said nothing for too long.
    AgentHung,
    /// The runtime knows no such driver.
    DriverUnknown,
    /// `spec.answers` holds an answer to a question that is not open: the reason of an Event alone.
    QuestionUnknown,
    /// The agent asked a question that nobody has answered yet.
    Escalated,
    /// The same, and the pod waits for the answer, for nothing else keeps the work.
    WaitingInPod,
    /// Nobody answered the agent's question in time.
    EscalationTimedOut,
    /// What a Run was to go on from is not to be had.
    CheckpointMissing,
    /// Sessions in mode Chat are switched off here.
    ChatDisabled,
    /// The agent of a Terminal is switched off.
    AgentOff,
    /// The agent of a Terminal can be spoken to.
    AgentOn,
}

impl Reason {
    /// The reason of this spelling: what a status or the runtime says.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == text)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The guide names each reason, and none that is not one, in the tables' cells: `Reason`.
    #[test]
    fn the_guide_tells_every_reason() {
        let guide = include_str!("../../docs/operations/conditions.md");
        for reason in Reason::ALL {
            assert!(guide.contains(&format!("`{reason}`")), "conditions.md does not tell {reason}");
        }
        let (_, table) = guide.split_once("## Reasons of `Ready`").unwrap();
        let (table, _) = table.split_once("\n## ").unwrap();
        let cells = table.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
        let names: Vec<_> = cells.flat_map(|cell| cell.split(", ")).collect();
        assert!(names.len() > 20, "the table was not read: {names:?}");
        for name in names {
            let name = name.trim_matches('`');
            assert_eq!(Reason::named(name).map(Reason::as_str), Some(name), "no such reason");
        }
    }
}
