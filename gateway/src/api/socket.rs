//! Sockets to terminals and chats: decided here, answered by the pod, and then a raw tunnel of bytes.
//!
//! The pod is dialled before the client gets its 101, so an open socket means that the runtime is really there.

mod admission;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use fabrica_crds::Session;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tracing::Instrument;

use self::admission::{Admitted, admit};
use super::named::Named;
use crate::app::App;
use crate::names::ObjectKey;
use crate::problem::Problem;
use crate::socket::door::Door;
use crate::socket::handshake::Handshake;
use crate::socket::refusal::{self, Refusal};
use crate::socket::registry::{Entered, LiveSocket};
use crate::socket::tunnel::{self, End, Meters, Side};

/// How long a connection may take from its 101 to its socket.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens a terminal socket, subprotocol `kterm.v1`. Refusals come as close codes: 4400 the URL names what can be no
/// session, 4401 log in, 4403 not allowed, 4404 no such session, 4410 it is being deleted, 4429 too many (`ra=<ms>`), 4503 not ready (`ra=<ms>`), 4504 pod unreachable.
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
    named: Result<Named<Session>, Problem>,
    request: Request,
) -> Response {
    open(app, key(named), Door::Terminal, request).await
}

/// Opens a chat socket of a session with an agent, subprotocol `fabrica.chat.v1`: JSON text frames, first of all `hello`. Refusals
/// come as close codes, as a terminal's do; a session without `spec.agentState` in another mode than Chat has no chat (4404), and
/// one whose agent is off or not ready has none now (4503).
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/sessions/{name}/chat", tag = "sessions",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The session's name")),
    responses(
        (status = 101, description = "The socket is open, or about to be closed with a code"),
        (status = 400, description = "Not our subprotocol", body = Problem, content_type = "application/problem+json"),
        (status = 426, description = "Not a WebSocket", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn chat(
    State(app): State<App>,
    named: Result<Named<Session>, Problem>,
    request: Request,
) -> Response {
    open(app, key(named), Door::Chat, request).await
}

fn key(named: Result<Named<Session>, Problem>) -> Result<ObjectKey, Refusal> {
    named.map(|named| named.key).map_err(|problem| Refusal::malformed(&problem.detail))
}

/// Opens a socket to the Session of this key, or tells why there is none.
pub(super) async fn open(
    app: App,
    key: Result<ObjectKey, Refusal>,
    door: Door,
    request: Request,
) -> Response {
    let (mut parts, _) = request.into_parts();
    let handshake = match Handshake::read(&parts, door) {
        Ok(handshake) => handshake,
        Err(problem) => return problem.into_response(),
    };
    let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
        return Problem::bad_request("This connection cannot become a WebSocket; use HTTP/1.1.")
            .into_response();
    };
    // Large, and gone when the tunnel stands: the tunnel's task must not carry it along.
    let admission = Box::pin(admit(&app, &parts, key, door, &handshake));
    match admission.await {
        Ok(admitted) => {
            app.metrics.socket(101);
            app.tasks.spawn(run(app.clone(), upgrade, admitted));
        }
        Err(refusal) => {
            tracing::debug!(code = refusal.code, door = door.name(), "refused a socket");
            app.metrics.socket(refusal.code);
            app.tasks.spawn(refusal::send(upgrade, refusal));
        }
    }
    handshake.accept()
}

/// The life of one tunnel.
async fn run(app: App, client: OnUpgrade, admitted: Admitted) {
    let Admitted { pod, entered } = admitted;
    let socket = Arc::clone(&entered.socket);
    let LiveSocket { id, key, door, .. } = &*socket;
    let span = tracing::info_span!("socket", door = door.name(), connection = %id, session = %key, uid = socket.pod.uid, user = socket.identity.name());
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
        tracing::debug!(?end, "a socket ended");
    }
    .instrument(span)
    .await;
}

async fn carry(app: &App, client: Side, pod: Side, entered: &Entered) -> End {
    if let Err(error) = tunnel::tune(&client.stream) {
        tracing::debug!(%error, "a socket option was refused");
    }
    let open = app.metrics.connections(entered.socket.door.name());
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
