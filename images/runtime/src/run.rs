//! One attempt of a Run: start steps, the branch, the driver, and what became of it, verified and pushed.
//!
//! Whatever ends it, the verdict is written where it outlives the pod, then into the journal, and then waits to be kept
//! by the operator. No program of the repository ever runs while git can ask for the repository's login: the driver and
//! all that it left behind is gone before the push.

mod agent;
pub(crate) mod ask;
pub(crate) mod audit;
pub(crate) mod branch;
pub(crate) mod changes;
pub(crate) mod checkpoint;
pub(crate) mod claude;
mod clean;
mod codec;
pub(crate) mod consult;
pub(crate) mod driver;
pub(crate) mod faber;
pub(crate) mod git;
mod handle;
pub mod journal;
mod kept;
pub(crate) mod lent;
pub(crate) mod mcp;
pub(crate) mod outgoing;
pub(crate) mod output;
mod owed;
mod plan;
pub(crate) mod pull_request;
mod push;
pub mod questions;
pub(crate) mod reading;
mod script;
pub mod shelf;
pub(crate) mod told;
pub(crate) mod undone;
pub(crate) mod verdict;
pub(crate) mod verify;
pub(crate) mod work_item;

use std::cell::OnceCell;
use std::convert::Infallible;
use std::process::ExitCode;
use std::time::Duration;

use fabrica_protocol::run::{Entry, Question, Verdict};
use tokio_util::sync::CancellationToken;

use self::checkpoint::{Keeper, Memory};
use self::driver::{Driver, DriverError, Event, Place};
use self::git::Git;
pub use self::handle::{Interrupt, Run};
use self::pull_request::{Change, Task};
use self::reading::Reading;
use self::shelf::{Former, Handed};
use self::verdict::Ending;
use crate::children;
use crate::config::{Config, Repository, RunConfig};
use crate::forge::{Forge, Unknown};
use crate::idle::Activity;
use crate::journal::Journal;
use crate::start;

/// The driver's processes get this long to end before they are killed: with all else, SIGTERM ends us in under 10 s.
const GRACE: Duration = Duration::from_secs(2);

/// The operator hands a former pod's checkpoint in within this time, from the end of the clone.
const HANDED: Duration = Duration::from_mins(2);

/// Lives from the first start step until the verdict is kept.
pub async fn live(
    run: &Run,
    config: &Config,
    steps: &Journal,
    activity: &Activity,
    ready: impl Fn(),
    told_to_stop: impl Future<Output = ()>,
) -> ExitCode {
    let terminated = CancellationToken::new();
    let listening = async {
        told_to_stop.await;
        run.interrupt(Interrupt::Evicted);
        terminated.cancel();
        std::future::pending::<Infallible>().await
    };
    let living = async {
        let verdict = attempt(run, config, steps, activity, ready).await;
        conclude(run, config, verdict, &terminated).await
    };
    tokio::select! {
        code = living => code,
        never = listening => match never {},
    }
}

/// Writes the verdict and waits until somebody has it.
async fn conclude(
    run: &Run,
    config: &Config,
    mut verdict: Verdict,
    terminated: &CancellationToken,
) -> ExitCode {
    verdict.message.extend(checkpoint::left(config, run, &verdict));
    verdict.message = config.secrets.redact(&verdict.message);
    if let Some(question) = &mut verdict.question {
        question.question = config.secrets.redact(&question.question);
        for option in &mut question.options {
            *option = config.secrets.redact(option);
        }
    }
    let verdict = verdict::fit(verdict);
    let text = serde_json::to_string(&verdict).unwrap_or_default();
    if let Err(error) = std::fs::write(&config.termination_log, text) {
        tracing::warn!(%error, "the termination message cannot be written");
    }
    let code = ExitCode::from(verdict.outcome.exit_code());
    // What could not be written nobody can acknowledge.
    if let Some(seq) = run.journal.write(Entry::Ended(verdict.clone())) {
        let kept = async {
            checkpoint::forget(config, run, &verdict).await;
            run.journal.acknowledged(seq).await;
        };
        tokio::select! {
            () = kept => {}
            () = tokio::time::sleep(run.settings.linger) => {}
            () = terminated.cancelled() => {}
        }
    }
    code
}

async fn attempt(
    run: &Run,
    config: &Config,
    steps: &Journal,
    activity: &Activity,
    ready: impl Fn(),
) -> Verdict {
    let (mut driver, plan) = match agent::choose(run) {
        Ok(chosen) => chosen,
        Err(ending) => return ending.verdict(),
    };
    let Some(repository) = &config.repository else {
        let message = "A Run needs REPO_URL.".to_owned();
        return Ending::misconfigured("clone", "RepositoryMissing", message).verdict();
    };
    let (settings, base, reading) = (&run.settings, OnceCell::new(), OnceCell::new());
    let attempt = Attempt { run, settings, config, repository, steps, activity, base, reading };
    let ending = tokio::select! {
        biased;
        interrupt = run.interrupted() => Ending::Interrupted(interrupt),
        ending = attempt.work(&mut driver, plan.as_deref(), ready) => ending.unwrap_or_else(|ending| ending),
    };
    for unfinished in driver.stop(&attempt.place()).await {
        run.journal.write(unfinished);
    }
    if ending == Ending::Interrupted(Interrupt::Evicted) {
        attempt.keep_at_last(&driver).await;
    }
    children::end_all(GRACE).await;
    Verdict { usage: driver.usage(), ..ending.verdict() }
}

struct Attempt<'a> {
    run: &'a Run,
    settings: &'a RunConfig,
    config: &'a Config,
    repository: &'a Repository,
    steps: &'a Journal,
    activity: &'a Activity,
    /// The commit that the work begins at, once it is known.
    base: OnceCell<String>,
    /// What the agent's git reads through, while the agent is at work.
    reading: OnceCell<Reading>,
}

impl Attempt<'_> {
    /// From the clone to the pull request; `Err` when it ended before.
    async fn work(
        &self,
        driver: &mut impl Driver,
        plan: Option<&str>,
        ready: impl Fn(),
    ) -> Result<Ending, Ending> {
        let login =
            start::arrive(self.config, self.steps, self.activity).await.map_err(Ending::Start)?;
        let git = Git::find(self.config, self.repository)?;
        let branch = branch::Branch { name: &self.settings.branch, uid: &self.config.session_id };
        let begun = branch.look(&git, branch::NEWEST, self.steps).await?;
        branch.check_base(&git, &begun, self.settings, self.steps).await?;
        if let Some(base) = &begun.base {
            self.base.get_or_init(|| base.clone());
        }
        let former = self.former(&git).await?;
        drop(login);
        branch.take(&git, &begun, self.steps).await?;
        if let Some(commit) = &former.commit {
            let restored = checkpoint::wip::restore(&git, commit, &begun, self.steps).await;
            restored.map_err(|error| {
                Ending::Agent(format!("A former pod's work cannot be put back: {error}"))
            })?;
        }
        let forge = self.forge()?;
        let item = work_item::fetch(&forge, &self.settings.forge, self.steps).await?;
        if former.conversation.is_none() {
            item.as_ref().map_or(Ok(()), work_item::check)?;
        }
        push::check(&forge, &self.settings.driver).await?;
        let (uid, title) = (branch.uid, self.settings.title.as_deref());
        let secrets = &self.config.secrets;
        let task = Task { uid, title, plan, item: item.as_ref(), secrets };
        start::install(self.config, self.steps, self.activity).await;
        let text = work_item::join(plan, task.item);
        plan::write(&self.config.workspace.join("plan.md"), &text)
            .map_err(|error| Ending::Agent(format!("The plan cannot be written down: {error}")))?;
        ready();
        if let Some(reading) = Reading::open(self.config).await {
            self.reading.get_or_init(|| reading);
        }
        self.drive(driver, &text, former.conversation.as_ref()).await?;
        let completion = driver.completion();
        let title = task.title(completion.as_ref().map(|completion| completion.title.as_str()));
        let owed = owed::Owed { forge: &forge, config: &self.settings.forge, begun: &begun };
        let Some(commit) = owed.commit(&git, &branch, &title, self.steps).await? else {
            return Ok(Ending::NoChanges);
        };
        // The repository's own filters may have run once more.
        end_everything().await?;
        changes::tell(&git, &begun, &commit, &self.run.journal).await;
        push::push(&git, &branch, &begun, &commit, self.steps).await?;
        let change = Change {
            base: self.settings.forge.base.name(self.repository.branch.as_deref()),
            config: &self.settings.forge,
            secrets: &self.config.secrets,
            branch: branch.name,
            commit: &commit,
            has_base: begun.base.is_some(),
            title: &title,
            body: &task.body(completion.as_ref().map(|completion| completion.body.as_str())),
        };
        let pull_request = pull_request::open(forge, &change, self.steps).await?;
        Ok(Ending::Pushed { branch: branch.name.to_owned(), commit, pull_request })
    }

    fn forge(&self) -> Result<Result<Forge, Unknown>, Ending> {
        Forge::of(self.repository, &self.settings.forge, &self.config.secrets).map_err(|error| {
            let message = format!("{}.", crate::chain(&error));
            Ending::misconfigured("pullRequest", "ForgeUnusable", message)
        })
    }

    fn place(&self) -> Place<'_> {
        Place { config: self.config, git: self.reading.get().map_or(&[], Reading::variables) }
    }

    /// Runs the driver to its end, and ends whatever it leaves.
    async fn drive(
        &self,
        driver: &mut impl Driver,
        plan: &str,
        from: Option<&Former>,
    ) -> Result<(), Ending> {
        let step = self.steps.begin("agent", "The agent works on the plan.");
        let place = self.place();
        let outcome = async {
            driver.start(&place, plan, from).await?;
            let keeper = self.keeper(driver);
            while let Some(question) = self.listen(driver, keeper.as_ref()).await? {
                if self.lets_go(keeper.as_ref(), &question).await {
                    return Ok(Some(question));
                }
                driver.resume(&place).await?;
            }
            Ok::<_, DriverError>(None)
        }
        .await;
        if let Ok(Some(question)) = outcome {
            step.finish("The agent waits for an answer, which another pod will hear.");
            return Err(Ending::Escalated(question));
        }
        if let Err(error) = outcome {
            let mut failure = error.failure();
            failure.message = self.config.secrets.redact(&failure.message);
            step.fail(&failure.message);
            return Err(Ending::Driver(failure));
        }
        step.finish("The agent has ended.");
        end_everything().await
    }
}

impl Attempt<'_> {
    /// Writes down what the agent does, until it ends or is parked with a question.
    async fn listen(
        &self,
        driver: &mut impl Driver,
        keeper: Option<&Keeper<'_>>,
    ) -> Result<Option<Question>, DriverError> {
        let keeping = async {
            match keeper {
                Some(keeper) => keeper.watch().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            parked = self.hear(driver) => parked,
            never = keeping => match never {},
        }
    }

    async fn hear(&self, driver: &mut impl Driver) -> Result<Option<Question>, DriverError> {
        while let Some(event) = driver.next(&self.place()).await {
            match event? {
                Event::Told(entry) => {
                    self.run.journal.room().await;
                    self.run.journal.write(entry);
                }
                Event::Parked(question) => return Ok(Some(question)),
            }
        }
        Ok(None)
    }

    /// Waits for the answer, unless somebody keeps what is needed to hear it in another pod.
    async fn lets_go(&self, keeper: Option<&Keeper<'_>>, question: &Question) -> bool {
        let id = [question.id.as_str()];
        let kept = async {
            let seq = keeper?.keep().await?;
            let acknowledged = self.run.journal.acknowledged(seq);
            tokio::time::timeout(checkpoint::KEPT, acknowledged).await.ok()
        };
        tokio::select! {
            biased;
            _ = self.run.questions.answered(&id) => false,
            kept = kept => {
                if kept.is_none() {
                    self.run.questions.answered(&id).await;
                }
                kept.is_some()
            }
        }
    }

    /// Makes checkpoints, where somebody keeps them and the agent can go on from them.
    fn keeper<'a>(&'a self, driver: &impl Driver) -> Option<Keeper<'a>> {
        let conversation =
            driver.conversation(&self.place()).filter(|_| self.settings.checkpoints)?;
        Some(Keeper {
            git: Git::find(self.config, self.repository).ok()?,
            uid: &self.config.session_id,
            base: self.base.get().cloned(),
            conversation,
            shelf: &self.run.shelf,
            journal: &self.run.journal,
            steps: self.steps,
            memory: Memory::default(),
        })
    }

    /// The pod is ended: what can be kept at once is.
    async fn keep_at_last(&self, driver: &impl Driver) {
        let keeping = async {
            if let Some(seq) = self.keeper(driver)?.keep().await {
                self.run.journal.acknowledged(seq).await;
            }
            Some(())
        };
        // What takes longer is lost with the pod, and the checkpoint before it holds.
        let _ = tokio::time::timeout(checkpoint::FAREWELL, keeping).await;
    }

    /// What a former pod left, where we are to go on from it.
    async fn former(&self, git: &Git<'_>) -> Result<Handed, Ending> {
        if !self.settings.resume {
            return Ok(Handed::default());
        }
        let handed = self.run.shelf.handed(HANDED).await.ok_or(Ending::CheckpointMissing)?;
        let commit = match &handed.commit {
            Some(named) => {
                checkpoint::wip::fetch(git, named, &self.config.session_id, self.steps).await
            }
            None => None,
        };
        Ok(Handed { commit, ..handed })
    }
}

async fn end_everything() -> Result<(), Ending> {
    if children::end_all(GRACE).await {
        return Ok(());
    }
    Err(Ending::Agent("Processes that the agent left behind do not end.".to_owned()))
}
