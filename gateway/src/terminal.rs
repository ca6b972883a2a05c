//! Terminal sockets: decided here, answered by the pod, and then a raw tunnel of bytes.
//!
//! The pod is dialled before the client gets its 101, so an open socket means that the runtime is really there.

pub mod decision;
pub mod dial;
pub mod handshake;
pub mod recheck;
pub mod refusal;
pub mod registry;
pub mod tunnel;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use fabrica_crds::session::Phase;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use kube::api::Api;
use tokio::net::TcpStream;
use tracing::Instrument;

use self::handshake::Handshake;
use self::refusal::Refusal;
use self::registry::{Entered, LiveSocket};
use self::tunnel::{End, Meters, Side};
use crate::app::App;
use crate::identity::caller::authenticate;
use crate::kubernetes::answer;
use crate::names::SessionKey;
use crate::pods::{Pod, bearer};
use crate::problem::Problem;
use crate::sessions::SessionView;
use crate::sessions::write::Named;

/// How soon to try again: while a pod starts, while a Session is stopped, and when one has too many sockets.
const STARTING: Duration = Duration::from_secs(1);
const STOPPED: Duration = Duration::from_secs(5);
const CROWDED: Duration = Duration::from_secs(5);

/// How long a connection may take from its 101 to its socket.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens a terminal socket, subprotocol `kterm.v1`. Refusals come as close codes: 4401 log in, 4403 not allowed,
/// 4404 no such session, 4410 it is being deleted, 4429 too many (`ra=<ms>`), 4503 not ready (`ra=<ms>`), 4504 pod unreachable.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/sessions/{name}/terminal", tag = "sessions",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The session's name")),
    responses(
        (status = 101, description = "The socket is open, or about to be closed with a code"),
        (status = 400, description = "Not our subprotocol", body = Problem, content_type = "application/problem+json"),
        (status = 426, description = "Not a WebSocket", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn terminal(
    State(app): State<App>,
    named: Result<Named, Problem>,
    request: Request,
) -> Response {
    let (mut parts, _) = request.into_parts();
    let handshake = match Handshake::read(&parts) {
        Ok(handshake) => handshake,
        Err(problem) => return problem.into_response(),
    };
    let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
        return Problem::bad_request("This connection cannot become a WebSocket; use HTTP/1.1.")
            .into_response();
    };
    // Large, and gone when the tunnel stands: the tunnel's task must not carry it along.
    let admission = Box::pin(admit(&app, &parts, named.ok().map(|named| named.0), &handshake));
    match admission.await {
        Ok(admitted) => {
            app.metrics.socket(101);
            app.tasks.spawn(run(app.clone(), upgrade, admitted));
        }
        Err(refusal) => {
            tracing::debug!(code = refusal.code, "refused a terminal");
            app.metrics.socket(refusal.code);
            app.tasks.spawn(refusal::send(upgrade, refusal));
        }
    }
    handshake.accept()
}

/// A socket that may be opened: the pod has accepted it.
struct Admitted {
    pod: OnUpgrade,
    entered: Entered,
}

async fn admit(
    app: &App,
    parts: &http::request::Parts,
    key: Option<SessionKey>,
    handshake: &Handshake,
) -> Result<Admitted, Refusal> {
    let identity = authenticate(app, parts, true).await?;
    let key = key.ok_or_else(Refusal::not_found)?;
    let entry = app.store.get(&key);
    let address = entry.as_ref().and_then(|entry| Pod::of(&entry.view)).map(|pod| pod.address);
    // Dialled while access is decided: nothing is sent before the decision, and a refusal does not wait for it.
    let dialled = async {
        Ok(match address {
            Some(address) => Some(dial::connect(address).await),
            None => None,
        })
    };
    let (role, dialled) = futures::try_join!(decision::role(app, &identity, &key), dialled)?;
    let Some(entry) = entry else { return Err(unknown(app, &key).await) };
    if !app.access.admits_owner(&identity, entry.view.owner()) {
        return Err(Refusal::not_found());
    }
    let pod = ready(&entry.view)?;
    let stream = dialled.ok_or_else(|| starting(&entry.view))??;
    let place = app.sockets.reserve(identity.name()).ok_or_else(|| Refusal::too_many(CROWDED))?;
    let socket = LiveSocket::new(identity, key, pod, role);
    let authorization = authorization(app, &socket)?;
    let pod = dial::open(stream, socket.pod.address, handshake, authorization).await?;
    Ok(Admitted { pod, entered: app.sockets.enter(Arc::new(socket), place) })
}

/// The pod of a Session that can have a terminal now.
fn ready(view: &SessionView) -> Result<Pod, Refusal> {
    if view.deletion_timestamp.is_some() {
        return Err(Refusal::gone());
    }
    Pod::of(view).ok_or_else(|| starting(view))
}

fn starting(view: &SessionView) -> Refusal {
    match view.phase() {
        Phase::Stopped => Refusal::not_ready(STOPPED, "the session is stopped"),
        Phase::Failed => Refusal::not_ready(STOPPED, "the session has failed; its status says why"),
        Phase::Pending | Phase::Starting | Phase::Running => {
            Refusal::not_ready(STARTING, "the session is starting")
        }
    }
}

/// A Session that this replica does not know: it may be so new that the watch has not told yet.
async fn unknown(app: &App, key: &SessionKey) -> Refusal {
    let sessions: Api<fabrica_crds::Session> = Api::namespaced(app.client.clone(), &key.namespace);
    match answer(sessions.get_opt(&key.name)).await {
        Ok(None) => Refusal::not_found(),
        Ok(Some(_)) => Refusal::not_ready(STARTING, "the session is new"),
        Err(_) => Refusal::not_ready(STARTING, "the session cannot be looked up now"),
    }
}

fn authorization(app: &App, socket: &LiveSocket) -> Result<http::HeaderValue, Refusal> {
    let LiveSocket { id, identity, pod, role, .. } = socket;
    let signed = app.trust.assertion(&pod.uid, identity.name(), *role, &id.to_string(), Utc::now());
    let signed = signed.map_err(|error| {
        tracing::warn!(error = %crate::chain(&error), "no assertion could be signed");
        Refusal::not_ready(STARTING, "the gateway has no signing key yet")
    })?;
    bearer(&signed).map_err(|_| Refusal::unreachable("the assertion cannot be sent"))
}

/// The life of one tunnel.
async fn run(app: App, client: OnUpgrade, admitted: Admitted) {
    let Admitted { pod, entered } = admitted;
    let socket = Arc::clone(&entered.socket);
    let LiveSocket { id, key, .. } = &*socket;
    let span = tracing::info_span!("terminal", connection = %id, session = %key, user = socket.identity.name());
    async {
        let both = async { futures::try_join!(client, pod) };
        let Ok(Ok((client, pod))) = tokio::time::timeout(UPGRADE_TIMEOUT, both).await else {
            tracing::debug!("a connection ended before it became a tunnel");
            return;
        };
        let (Some(client), Some(pod)) = (side(client), side(pod)) else {
            tracing::error!("a connection is not a plain TCP stream");
            return;
        };
        let end = carry(&app, client, pod, &entered).await;
        tracing::debug!(?end, "a terminal ended");
    }
    .instrument(span)
    .await;
}

async fn carry(app: &App, client: Side, pod: Side, entered: &Entered) -> End {
    if let Err(error) = tunnel::tune(&client.stream) {
        tracing::debug!(%error, "a socket option was refused");
    }
    let open = app.metrics.connections("terminal");
    open.inc();
    let meters =
        Meters { to_pod: app.metrics.bytes("to_pod"), to_client: app.metrics.bytes("to_client") };
    let cut = &entered.socket.cut;
    let end = tokio::select! {
        end = tunnel::carry(client, pod, meters, cut) => end,
        () = app.stop.cancelled() => End::Cut,
    };
    // Tells a recheck that is closing this socket that it is gone.
    cut.cancel();
    open.dec();
    end
}

/// The plain socket behind an upgraded connection, and what was read from it too early.
fn side(upgraded: Upgraded) -> Option<Side> {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    Some(Side { stream: parts.io.into_inner(), early: parts.read_buf })
}
