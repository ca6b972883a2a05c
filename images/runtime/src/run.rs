//! One attempt of a Run: start steps, the branch, the driver, and what became of it, verified and pushed.
//!
//! Whatever ends it, the verdict is written where it outlives the pod, then into the journal, and then waits to be kept
//! by the operator. No program of the repository ever runs while git can ask for the repository's login: the driver and
//! all that it left behind is gone before the push.

mod agent;
mod branch;
mod claude;
mod codec;
mod driver;
mod faber;
mod git;
mod handle;
pub mod journal;
mod output;
mod plan;
mod pull_request;
mod push;
mod script;
mod verdict;
mod verify;
mod work_item;

use std::convert::Infallible;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use fabrica_protocol::run::{Entry, Outcome, Verdict};
use tokio_util::sync::CancellationToken;

use self::agent::Agent;
use self::driver::{Driver, Place};
use self::git::Git;
pub use self::handle::{Interrupt, Run};
use self::pull_request::{Change, Task};
use self::verdict::Ending;
use crate::children;
use crate::config::{Config, Repository, RunConfig};
use crate::forge::{Forge, Unknown};
use crate::idle::Activity;
use crate::journal::Journal;
use crate::start::{self, StartError};

/// The driver's processes get this long to end before they are killed: with all else, SIGTERM ends us in under 10 s.
const GRACE: Duration = Duration::from_secs(2);

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
    verdict.message = config.secrets.redact(&verdict.message);
    let verdict = verdict::fit(verdict);
    let text = serde_json::to_string(&verdict).unwrap_or_default();
    if let Err(error) = std::fs::write(&config.termination_log, text) {
        tracing::warn!(%error, "the termination message cannot be written");
    }
    let code = match verdict.outcome {
        Outcome::Completed => ExitCode::SUCCESS,
        Outcome::Failed | Outcome::Cancelled | Outcome::Escalated => ExitCode::FAILURE,
    };
    // What could not be written nobody can acknowledge.
    if let Some(seq) = run.journal.write(Entry::Ended(verdict)) {
        tokio::select! {
            () = run.journal.acknowledged(seq) => {}
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
    let (mut driver, plan) = match agent(&run.settings) {
        Ok(chosen) => chosen,
        Err(ending) => return ending.verdict(),
    };
    let Some(repository) = &config.repository else {
        let message = "A Run needs REPO_URL.".to_owned();
        return misconfigured("clone", "RepositoryMissing", message).verdict();
    };
    let attempt = Attempt { run, settings: &run.settings, config, repository, steps, activity };
    let ending = tokio::select! {
        biased;
        interrupt = run.interrupted() => Ending::Interrupted(interrupt),
        ending = attempt.work(&mut driver, plan.as_deref(), ready) => ending.unwrap_or_else(|ending| ending),
    };
    for unfinished in driver.stop(&attempt.place()).await {
        run.journal.write(unfinished);
    }
    children::end_all(GRACE).await;
    Verdict { usage: driver.usage(), ..ending.verdict() }
}

/// Who works, and on which plan.
fn agent(settings: &RunConfig) -> Result<(Agent, Option<String>), Ending> {
    let missing = |error| Ending::Plan(crate::chain(&error));
    let plan = plan::load(settings).map_err(missing)?;
    let Some(agent) = Agent::of(settings, plan.as_deref()) else {
        let driver = &settings.driver;
        let message = format!("This runtime has no driver {driver}: it has script and claude.");
        return Err(misconfigured("agent", "DriverUnknown", message));
    };
    Ok((agent.map_err(missing)?, plan))
}

fn misconfigured(step: &'static str, reason: &'static str, message: String) -> Ending {
    Ending::Start(StartError { step, reason, message })
}

struct Attempt<'a> {
    run: &'a Run,
    settings: &'a RunConfig,
    config: &'a Config,
    repository: &'a Repository,
    steps: &'a Journal,
    activity: &'a Activity,
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
        let begun = branch.take(&git, self.steps).await?;
        drop(login);
        let forge = self.forge()?;
        let item = work_item::fetch(&forge, &self.settings.forge, self.steps).await?;
        let (uid, title) = (branch.uid, self.settings.title.as_deref());
        let task = Task { uid, title, plan, item: item.as_ref() };
        start::install(self.config, self.steps, self.activity).await;
        let text = work_item::join(plan, task.item);
        write_plan(&self.config.workspace.join("plan.md"), &text)?;
        ready();
        self.drive(driver, &text).await?;
        let completion = driver.completion();
        let title = task.title(completion.as_ref().map(|completion| completion.title.as_str()));
        let Some(commit) = verify::commit(&git, &branch, &begun, &title, self.steps).await? else {
            return Ok(Ending::NoChanges);
        };
        // The repository's own filters may have run once more.
        end_everything().await?;
        push::push(&git, &branch, &begun, &commit, self.steps).await?;
        let change = Change {
            base: self.repository.branch.as_deref(),
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
        Forge::of(self.repository, &self.settings.forge).map_err(|error| {
            misconfigured("pullRequest", "ForgeUnusable", format!("{}.", crate::chain(&error)))
        })
    }

    fn place(&self) -> Place<'_> {
        Place { config: self.config, login: &self.repository.login }
    }

    /// Runs the driver to its end, and ends whatever it leaves.
    async fn drive(&self, driver: &mut impl Driver, plan: &str) -> Result<(), Ending> {
        let step = self.steps.begin("agent", "The agent works on the plan.");
        let place = self.place();
        let outcome = async {
            driver.start(&place, plan).await?;
            while let Some(event) = driver.next(&place).await {
                self.run.journal.room().await;
                self.run.journal.write(event?);
            }
            Ok::<_, driver::DriverError>(())
        }
        .await;
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

async fn end_everything() -> Result<(), Ending> {
    if children::end_all(GRACE).await {
        return Ok(());
    }
    Err(Ending::Agent("Processes that the agent left behind do not end.".to_owned()))
}

/// Where the agent can read it.
fn write_plan(file: &Path, plan: &str) -> Result<(), Ending> {
    // Absent unless the container came back; read-only, so it is not written over.
    let _ = std::fs::remove_file(file);
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o444)
        .open(file)
        .and_then(|mut file| file.write_all(plan.as_bytes()))
        .map_err(|error| Ending::Agent(format!("The plan cannot be written down: {error}")))
}
