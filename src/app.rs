//! Wires the operator together: admin port, leadership, keys, the controller.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use fabrica_crds::{Run, Session};
use futures::FutureExt;
use kube::Api;
use kube::api::ListParams;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::admin::{self, Health};
use crate::config::Config;
use crate::lease::Candidate;
use crate::metrics::Counted;
use crate::recorder::Recorder;
use crate::run::Acknowledgement;
use crate::runtime_client::RuntimeClient;
use crate::telemetry::Telemetry;
use crate::trust::{Keeper, Keys};
use crate::{run, session};

/// How long running reconciles get to end. Below the pod's grace period.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// How long the first look at the signing keys may take. The Lease is held meanwhile, and is looked at again in time.
const KEYS: Duration = Duration::from_secs(5);

/// Objects of a kind that wait to be looked at out of turn: more than tell something urgent within a pass.
const WAKES: usize = 1024;

/// Runs until told to stop, or until something that must run has ended.
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    let client = kube::Client::try_default().await.context("find the cluster")?;
    let (keeper, keys, changed) =
        Keeper::new(client.clone(), &config.namespace, config.trust.clone());
    let runtimes = RuntimeClient::new(keys.clone()).context("make the HTTP client")?;
    let telemetry = Telemetry::new(config.otlp_endpoint.as_deref()).context("send traces")?;
    let telemetry = Arc::new(telemetry);
    let controllers = Controllers::new(&client, &config, keys, changed, runtimes, telemetry);
    let (context, runs) = (controllers.sessions.clone(), controllers.runs.clone());
    let state = Arc::new(State { context: context.clone(), runs, ready: AtomicBool::new(false) });

    let mut tasks = JoinSet::new();
    let (address, health, ending) = (config.admin_address, state.clone(), stop.clone());
    tasks.spawn(
        async move { admin::serve(address, health, ending).await.context("the admin port") },
    );
    let main = async {
        if !await_api(&client, &stop).await {
            return Ok(());
        }
        state.ready.store(true, Ordering::Relaxed);
        let mut candidate = Candidate::new(client, &config.namespace, config.identity.clone());
        if config.leader_elect && !candidate.acquire(&stop).await {
            return Ok(());
        }
        context.telemetry.metrics.leads(true);
        tracing::info!(identity = config.identity.name, "leading");
        let outcome = lead(&config, &mut candidate, &keeper, controllers, &stop).await;
        context.telemetry.metrics.leads(false);
        outcome
    };
    let mut main = std::pin::pin!(main);
    let outcome = tokio::select! {
        outcome = &mut main => outcome,
        Some(ended) = tasks.join_next() => match ended.context("the admin port")? {
            // It ends when told to; the rest has still to drain and to give the Lease up.
            Ok(()) if stop.is_cancelled() => main.await,
            Ok(()) => Err(anyhow!("the admin port ended")),
            Err(error) => Err(error),
        },
    };
    stop.cancel();
    outcome
}

/// What the leader starts.
struct Controllers {
    sessions: Arc<session::Context>,
    runs: Arc<run::Context>,
    recorder: Option<Arc<Recorder>>,
    /// Told when there are new keys.
    changed: watch::Receiver<()>,
    woken: Woken,
}

impl Controllers {
    fn new(
        client: &kube::Client,
        config: &Config,
        keys: Keys,
        changed: watch::Receiver<()>,
        runtimes: RuntimeClient,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        let (wake_sessions, sessions) = mpsc::channel(WAKES);
        let (wake_runs, runs) = mpsc::channel(WAKES);
        let woken = Woken { sessions, runs };
        let recorder = config.archive.clone().map(|store| {
            Arc::new(Recorder::new(store, runtimes.clone(), [wake_sessions, wake_runs]))
        });
        let sessions = Arc::new(session::Context::new(
            client.clone(),
            config.session.clone(),
            keys.clone(),
            runtimes.clone(),
            telemetry.clone(),
            recorder.clone(),
        ));
        let runs = Arc::new(run::Context::new(
            client.clone(),
            config.run.clone(),
            keys,
            runtimes,
            telemetry,
            recorder.clone().map_or(Acknowledgement::Status, Acknowledgement::Archive),
        ));
        Self { sessions, runs, recorder, changed, woken }
    }
}

/// Told of objects that are to be looked at now.
struct Woken {
    sessions: mpsc::Receiver<Uuid>,
    runs: mpsc::Receiver<Uuid>,
}

/// What the leader does. Ends when told to, or when leadership is lost or a task has ended by itself: then at once.
async fn lead(
    config: &Config,
    candidate: &mut Candidate,
    keeper: &Keeper,
    controllers: Controllers,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let first = tokio::time::timeout(KEYS, keeper.step(chrono::Utc::now()));
    first.await.context("the signing keys took too long")?.context("the signing keys")?;
    let mut tasks = start(config, controllers, stop);
    let held = async {
        if config.leader_elect {
            candidate.keep(stop).await
        } else {
            stop.cancelled().await;
            Ok(())
        }
    };
    tokio::select! {
        lost = held => lost.context("leadership")?,
        () = keeper.run(stop) => {}
        outcome = first_end(&mut tasks, stop) => outcome?,
    }
    tokio::time::timeout(SHUTDOWN, async { while tasks.join_next().await.is_some() {} })
        .await
        .context("reconciles did not end in time")?;
    if config.leader_elect {
        candidate.release().await;
    }
    Ok(())
}

/// The tasks that must run for as long as somebody leads.
fn start(
    config: &Config,
    controllers: Controllers,
    stop: &CancellationToken,
) -> JoinSet<&'static str> {
    let Controllers { sessions, runs, changed, woken, recorder } = controllers;
    let mut tasks = JoinSet::new();
    if let Some(recorder) = recorder {
        let known = (sessions.clone(), runs.clone());
        let living = Box::new(move || {
            let (sessions, runs) = known.clone();
            async move {
                let (sessions, runs) = (sessions.living().await?, runs.living().await?);
                Some(vec![("Session", sessions), ("Run", runs)])
            }
            .boxed()
        });
        let recording = recorder.run(living, config.retention_days, stop.clone());
        spawn(&mut tasks, "the recorder", recording);
    }
    let forgetting = forget(sessions.clone(), runs.clone(), stop.clone());
    spawn(&mut tasks, "the forgetting of what is gone", forgetting);
    let sessions =
        session::run(sessions, config.concurrency, changed.clone(), woken.sessions, stop.clone());
    spawn(&mut tasks, "the controller of Sessions", sessions);
    let runs = run::run(runs, config.concurrency, changed, woken.runs, stop.clone());
    spawn(&mut tasks, "the controller of Runs", runs);
    tasks
}

/// Starts a task that gives its name when it ends, by a panic as well: its words are in the log by then.
fn spawn(
    tasks: &mut JoinSet<&'static str>,
    name: &'static str,
    task: impl Future<Output = ()> + Send + 'static,
) {
    tasks.spawn(AssertUnwindSafe(task).catch_unwind().map(move |_| name));
}

/// Waits for the first task that ends: an error, unless it was told to.
async fn first_end(
    tasks: &mut JoinSet<&'static str>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let ended = tasks.join_next().await.context("nothing was started")??;
    ensure!(stop.is_cancelled(), "{ended} ended");
    Ok(())
}

/// Forgets what is known of objects that are gone, until told to stop.
async fn forget(sessions: Arc<session::Context>, runs: Arc<run::Context>, stop: CancellationToken) {
    /// Between two times: in a minute not much becomes known.
    const PERIOD: Duration = Duration::from_mins(1);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
        let all = census(&sessions, &runs);
        let there: HashSet<_> = all.iter().map(|counted| counted.uid.as_str()).collect();
        sessions.retry.prune(&there);
        runs.retry.prune(&there);
        sessions.telemetry.forget(&there);
    }
}

/// Every object there is.
fn census(sessions: &session::Context, runs: &run::Context) -> Vec<Counted> {
    [sessions.census(), runs.census()].concat()
}

/// Waits until the API server knows Sessions and Runs, for a chart may install the CRD after us; `false` when told to stop first.
async fn await_api(client: &kube::Client, stop: &CancellationToken) -> bool {
    /// Between two looks.
    const PERIOD: Duration = Duration::from_secs(2);
    let sessions: Api<Session> = Api::all(client.clone());
    let runs: Api<Run> = Api::all(client.clone());
    let one = ListParams::default().limit(1);
    loop {
        match tokio::try_join!(sessions.list(&one), runs.list(&one)) {
            Ok(_) => return true,
            Err(error) => tracing::warn!(error = %error, "our objects cannot be listed yet"),
        }
        tokio::select! {
            () = stop.cancelled() => return false,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

/// What the admin port sees.
#[derive(Debug)]
struct State {
    context: Arc<session::Context>,
    runs: Arc<run::Context>,
    /// Set once the CRDs are there.
    ready: AtomicBool,
}

impl Health for State {
    fn not_ready(&self) -> Option<&'static str> {
        (!self.ready.load(Ordering::Relaxed)).then_some("the CRDs of fabrica.dev are not there yet")
    }

    fn metrics(&self) -> Result<String, std::fmt::Error> {
        let waiting = self.context.retry.waiting() + self.runs.retry.waiting();
        self.context.telemetry.render(&census(&self.context, &self.runs), waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::BoxFuture;
    use rstest::rstest;

    #[rstest]
    #[case::by_itself(async {}.boxed(), false, Some("one ended"))]
    #[case::by_a_panic(async { panic!("it must not") }.boxed(), false, Some("one ended"))]
    #[case::as_told(async {}.boxed(), true, None)]
    #[tokio::test]
    async fn a_task_that_ends_before_it_is_told_to_is_named(
        #[case] task: BoxFuture<'static, ()>,
        #[case] told: bool,
        #[case] expected: Option<&str>,
    ) {
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        spawn(&mut tasks, "other", std::future::pending());
        spawn(&mut tasks, "one", task);
        if told {
            stop.cancel();
        }
        let error = first_end(&mut tasks, &stop).await.err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), expected);
    }
}
