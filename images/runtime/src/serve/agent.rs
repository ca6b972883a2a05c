//! The agent of a Terminal: started and ended as the operator says, while the terminals stay.
//!
//! While it works, git gets no login of people's, and shells that are opened get no credentials: it could read theirs.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use fabrica_protocol::kterm::close;
use fabrica_protocol::runtime::{AgentPower, AgentSwitch};
use tokio_util::sync::CancellationToken;

use crate::chat::{self, Chat};
use crate::config::Config;
use crate::credential::{self, Serving};
use crate::pod::{Pod, lends_at_once};
use crate::start::StartError;

/// An agent that could not be started is tried again after so long: the remote may have been away.
const PAUSE: Duration = Duration::from_secs(30);
/// What clients hear whose agent is switched off; they look at the Session before they come back.
const SWITCHED_OFF: &str = "the agent does not work now; ra=5000";

/// Does what is wanted until the Session stops. `login` is what git of people's shells asks for.
pub(super) async fn obey(pod: &Pod, mut login: Option<Serving>, stopping: &CancellationToken) {
    if !lends_at_once(&pod.config) {
        login = None;
        pod.switch.rest(AgentPower::Unasked, None);
    }
    let mut wanted = pod.switch.wanted();
    while !stopping.is_cancelled() {
        let wish = wanted.borrow_and_update().clone();
        let changed = async {
            tokio::select! {
                // The switch lives as long as the pod.
                _ = wanted.changed() => {}
                () = stopping.cancelled() => {}
            }
        };
        match wish {
            Some(AgentSwitch { on: true, settings }) => {
                drop(login.take());
                pod.equip(false);
                work(pod, &pod.config.with_agent(&settings), changed, stopping).await;
            }
            Some(AgentSwitch { on: false, .. }) => {
                login = login.or_else(|| lend(pod));
                pod.equip(true);
                pod.switch.rest(AgentPower::Off, None);
                changed.await;
            }
            None => changed.await,
        }
    }
}

/// Git of people's shells gets the repository's login again.
fn lend(pod: &Pod) -> Option<Serving> {
    let repository = pod.config.repository.clone()?;
    let serving = credential::serve(repository);
    serving.inspect_err(|error| tracing::warn!(%error, "git cannot ask for a login")).ok()
}

/// Keeps the agent at work until something else is wanted, however often it takes to start it.
async fn work(
    pod: &Pod,
    config: &Config,
    until: impl Future<Output = ()>,
    stopping: &CancellationToken,
) {
    let mut until = pin!(until);
    while let Err(error) = live(pod, config, until.as_mut(), stopping).await {
        tracing::warn!(reason = error.reason, "the agent cannot be started");
        pod.switch.rest(AgentPower::Failed, Some(&error));
        tokio::select! {
            () = until.as_mut() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// The agent, from its start until something else is wanted.
async fn live(
    pod: &Pod,
    config: &Config,
    until: impl Future<Output = ()>,
    stopping: &CancellationToken,
) -> Result<(), StartError> {
    if let Some(lacking) = chat::lacking(config) {
        return Err(lacking);
    }
    let chat = conversation(pod, config)?;
    pod.journal.pass_to(chat.journal.clone());
    pod.switch.start(chat.clone());
    // The repository is as the Session's own start left it.
    let workspace = pod.activity.workspace();
    let ready = || pod.activity.set_workspace(workspace.clone());
    let life = Box::pin(chat::live(&chat, config, &pod.journal, &pod.activity, ready, until));
    let lived = tokio::select! {
        lived = life => lived,
        never = chat::show(&chat, config, &pod.shells) => match never {},
    };
    pod.activity.set_workspace(workspace.clone());
    if !stopping.is_cancelled() {
        chat.put_down();
        chat.clients.close_all(close::NOT_READY, SWITCHED_OFF);
    }
    lived
}

/// The one that there was, or what lies in the workspace, or a new one.
fn conversation(pod: &Pod, config: &Config) -> Result<Arc<Chat>, StartError> {
    let failed = |message| StartError { step: "agent", reason: "AgentFailed", message };
    if let Some(chat) = pod.switch.chat().and_then(|former| former.again(config)) {
        return Ok(chat);
    }
    let opened = Chat::open(config).map_err(|error| failed(crate::chain(&error)))?;
    opened.ok_or_else(|| failed("The agent was told nothing.".to_owned()))
}
