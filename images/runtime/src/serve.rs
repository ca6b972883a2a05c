//! The life of the runtime: doors first, then the start steps, then the first terminal, until somebody says stop.

mod agent;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use fabrica_protocol::kterm::close;
use fabrica_protocol::runtime::{EventType, TERMINATION_BYTES};
use rustix::process::Signal;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::chat::{self, Chat};
use crate::config::Config;
use crate::pod::Pod;
use crate::run::Run;
use crate::start::StartError;
use crate::{children, http, idle, run, start};

/// Shells get this long to end before they are killed. All in all the runtime ends in under 5 s.
const SHELLS: Duration = Duration::from_secs(2);
/// Connections get this long to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// Runs to the end.
pub async fn run(config: Config) -> ExitCode {
    let listener = match TcpListener::bind(config.address).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, address = %config.address, "the runtime cannot listen");
            return ExitCode::FAILURE;
        }
    };
    let run = match Run::open(&config) {
        Ok(run) => run,
        Err(error) => {
            tracing::error!(error = crate::chain(&error), "the Run cannot begin");
            return ExitCode::FAILURE;
        }
    };
    let chat = match Chat::open(&config) {
        Ok(chat) => chat,
        Err(error) => {
            tracing::error!(error = crate::chain(&error), "the Chat cannot begin");
            return ExitCode::FAILURE;
        }
    };
    let pod = Arc::new(Pod::new(config, run, chat));
    let reaping = tokio::spawn(children::reap(pod.stop.clone()));
    let memory = tokio::spawn(idle::watch_memory(pod.journal.clone(), pod.stop.clone()));
    let doors = tokio::spawn(doors(listener, pod.clone()));
    let code = live(&pod).await;
    farewell(&pod).await;
    pod.stop.cancel();
    let _ = tokio::time::timeout(GOODBYE, async { tokio::join!(doors, reaping, memory) }).await;
    code
}

/// Serves the doors until told to stop.
pub async fn doors(listener: TcpListener, pod: Arc<Pod>) {
    // Keys come one by one: waiting to fill a packet would cost each of them.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let stop = pod.stop.clone();
    let served = axum::serve(listener, http::router(pod))
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the doors closed");
    }
}

async fn live(pod: &Pod) -> ExitCode {
    if let Some(run) = &pod.run {
        let ready = || pod.set_ready();
        let (config, steps, activity) = (&pod.config, &pod.journal, &pod.activity);
        return run::live(run, config, steps, activity, ready, told_to_stop()).await;
    }
    if let Some(chat) = &pod.chat {
        // What is said waits for the agent. Where a life before has failed, the next one may fail alike: Ready does not flicker.
        if !chat.is_found {
            pod.set_ready();
        }
        let ready = || open_first(pod);
        let (config, steps, activity) = (&pod.config, &pod.journal, &pod.activity);
        let life = Box::pin(chat::live(chat, config, steps, activity, ready, told_to_stop()));
        let lived = tokio::select! {
            lived = life => lived,
            never = chat::show(chat, config, &pod.shells) => match never {},
        };
        return lived.map_or_else(|error| given_up(pod, &error), |()| ExitCode::SUCCESS);
    }
    let stopping = CancellationToken::new();
    let told = stopping.clone();
    tokio::spawn(async move {
        told_to_stop().await;
        told.cancel();
    });
    live_session(pod, &stopping).await
}

/// The start steps and then, as long as nothing ends it, the Session.
async fn live_session(pod: &Pod, stopping: &CancellationToken) -> ExitCode {
    let started = tokio::select! {
        started = start::run(&pod.config, &pod.journal, &pod.activity) => started,
        () = stopping.cancelled() => return ExitCode::SUCCESS,
    };
    let login = match started {
        Ok(login) => login,
        Err(error) => {
            return given_up(pod, &error);
        }
    };
    open_first(pod);
    agent::obey(pod, login, stopping).await;
    ExitCode::SUCCESS
}

/// Leaves the last words of a start step that failed.
fn given_up(pod: &Pod, error: &StartError) -> ExitCode {
    let text = serde_json::to_string(&error.termination()).unwrap_or_default();
    let cut = text.floor_char_boundary(TERMINATION_BYTES);
    if let Err(problem) = std::fs::write(&pod.config.termination_log, &text[..cut]) {
        tracing::warn!(error = %problem, "the termination message cannot be written");
    }
    ExitCode::FAILURE
}

/// Opens terminal 1, so that whoever comes first finds a prompt.
pub fn open_first(pod: &Pod) {
    let step = pod.journal.begin("terminal", "Opening the first terminal.");
    match pod.shells.open_first() {
        Ok(_) => {
            step.finish("A terminal can be used.");
            pod.set_furnished();
        }
        Err(error) => {
            step.fail(crate::chain(&error));
            pod.journal.tell("terminal", EventType::Notice, "The image needs bash or sh.");
        }
    }
}

async fn told_to_stop() {
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    let [Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)] = kinds.map(signal) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hangup.recv() => {}
    }
}

/// Ends the shells: politely, then not. Clients are told first, so that they come back to the next life.
async fn farewell(pod: &Pod) {
    pod.shells.shared.state().close_all(close::GOING_AWAY, "the Session stops");
    if let Some(chat) = pod.chat() {
        chat.clients.close_all(close::GOING_AWAY, "the Session stops");
    }
    pod.shells.signal(Signal::HUP);
    pod.shells.signal(Signal::CONT);
    pod.sockets.close();
    let ended = async { tokio::join!(pod.shells.ended(), pod.sockets.wait()) };
    if tokio::time::timeout(SHELLS, ended).await.is_err() {
        pod.shells.signal(Signal::KILL);
    }
}
