//! Who gets a socket: a caller with the right, of a Session with a pod that takes the socket.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use fabrica_crds::Session;
use fabrica_crds::condition::find;
use fabrica_crds::session::{AGENT_READY, AgentState, Mode, Phase};
use futures::FutureExt;
use futures::future::OptionFuture;
use http::HeaderValue;
use http::request::Parts;
use hyper::upgrade::OnUpgrade;
use kube::api::Api;

use crate::api::caller::authenticate;
use crate::app::App;
use crate::kubernetes::answer;
use crate::names::ObjectKey;
use crate::objects::SessionView;
use crate::pods::{Pod, bearer};
use crate::socket::door::Door;
use crate::socket::handshake::Handshake;
use crate::socket::refusal::Refusal;
use crate::socket::registry::{Entered, LiveSocket};
use crate::socket::{decision, dial};

/// How soon to try again: while a pod starts, while a Session is stopped, and when one has too many sockets.
const STARTING: Duration = Duration::from_secs(1);
const STOPPED: Duration = Duration::from_secs(5);
const CROWDED: Duration = Duration::from_secs(5);

/// A socket that may be opened: the pod has accepted it.
pub(super) struct Admitted {
    pub(super) pod: OnUpgrade,
    pub(super) entered: Entered,
}

/// Finds out whether the socket may be opened, and has the pod accept it.
pub(super) async fn admit(
    app: &App,
    parts: &Parts,
    key: Result<ObjectKey, Refusal>,
    door: Door,
    handshake: &Handshake,
) -> Result<Admitted, Refusal> {
    let identity = authenticate(app, parts, true).await?;
    let key = key?;
    let told = app.sessions.get(&key).filter(|entry| Pod::of(&entry.view).is_some());
    let address = told.as_ref().and_then(|entry| Pod::of(&entry.view)).map(|pod| pod.address);
    // Dialled while access is decided: nothing is sent before the decision, and a refusal does not wait for it.
    let dialling = OptionFuture::from(address.map(dial::connect));
    let deciding = decision::rights(&app.access, &identity, &key, door);
    let (rights, dialled) = futures::try_join!(deciding, dialling.map(Ok))?;
    let view = match told {
        Some(entry) => entry.view.clone(),
        None => look_up(app, &key).await?,
    };
    if !app.access.admits_owner(&identity, view.owner()) {
        return Err(Refusal::not_found());
    }
    let pod = ready(&view, door)?;
    let stream = match dialled {
        Some(dialled) => dialled?,
        None => dial::connect(pod.address).await?,
    };
    let place = app.sockets.reserve(identity.name()).ok_or_else(|| Refusal::too_many(CROWDED))?;
    let socket = LiveSocket::new(identity, key, pod, door, rights);
    let authorization = authorization(app, &socket)?;
    let pod = dial::open(stream, socket.pod.address, handshake, authorization).await?;
    Ok(Admitted { pod, entered: app.sockets.enter(Arc::new(socket), place) })
}

/// A Session as the API server has it now. The watch may not have told yet what a client has seen elsewhere: that there
/// is such a Session, or that its pod is ready.
async fn look_up(app: &App, key: &ObjectKey) -> Result<SessionView, Refusal> {
    let sessions: Api<Session> = Api::namespaced(app.client.clone(), &key.namespace);
    match answer(sessions.get_opt(&key.name)).await {
        Ok(session) => session.map(SessionView::from).ok_or_else(Refusal::not_found),
        Err(error) => {
            tracing::debug!(error = crate::chain(&error), session = %key, "a session could not be looked up");
            Err(Refusal::not_ready(STARTING, "the session cannot be looked up now"))
        }
    }
}

/// The pod of a Session that can have such a socket now.
fn ready(view: &SessionView, door: Door) -> Result<Pod, Refusal> {
    if view.metadata.deletion_timestamp.is_some() {
        return Err(Refusal::gone());
    }
    if door == Door::Chat && view.mode() != Mode::Chat {
        agent_works(view)?;
    }
    Pod::of(view).ok_or_else(|| match view.phase() {
        Phase::Stopped => Refusal::not_ready(STOPPED, "the session is stopped"),
        Phase::Failed => Refusal::not_ready(STOPPED, "the session has failed; its status says why"),
        Phase::Pending | Phase::Starting | Phase::Running => {
            Refusal::not_ready(STARTING, "the session is starting")
        }
    })
}

/// Whether the agent of a Terminal can be spoken to.
fn agent_works(view: &SessionView) -> Result<(), Refusal> {
    match view.spec.agent_state {
        None => return Err(Refusal::no_chat()),
        Some(AgentState::Off) => {
            let text = "the agent is switched off: set spec.agentState to On";
            return Err(Refusal::not_ready(STOPPED, text));
        }
        Some(AgentState::On) => {}
    }
    let conditions = view.status.as_ref().map(|status| &*status.conditions).unwrap_or_default();
    match find(conditions, AGENT_READY) {
        Some(found) if found.status == "True" => Ok(()),
        Some(found) => {
            let text = format!("the agent does not work yet: {}", found.reason);
            Err(Refusal::not_ready(STARTING, &text))
        }
        None => Err(Refusal::not_ready(STARTING, "the agent is about to be started")),
    }
}

fn authorization(app: &App, socket: &LiveSocket) -> Result<HeaderValue, Refusal> {
    let LiveSocket { id, identity, pod, rights, .. } = socket;
    let (user, connection, now) = (identity.name(), id.to_string(), Utc::now());
    let signed = if rights.answers {
        app.trust.assertion_to_answer(&pod.uid, user, rights.role, &connection, now)
    } else {
        app.trust.assertion(&pod.uid, user, rights.role, &connection, now)
    };
    let signed = signed.map_err(|error| {
        tracing::warn!(error = %crate::chain(&error), "no assertion could be signed");
        Refusal::not_ready(STARTING, "the gateway has no signing key yet")
    })?;
    bearer(&signed).map_err(|_| Refusal::unreachable("the assertion cannot be sent"))
}
