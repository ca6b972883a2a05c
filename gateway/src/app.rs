//! What every request needs: one shared value.

use std::ops::Deref;
use std::sync::Arc;

use fabrica_crds::{Run, Session};
use fabrica_telemetry::Exporter;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::Access;
use crate::archive::Archive;
use crate::config::Config;
use crate::forges::Forge;
use crate::identity::bearer::TokenReviews;
use crate::metrics::Metrics;
use crate::namespaces::Namespaces;
use crate::objects::Served;
use crate::objects::store::Store;
use crate::pods::Pods;
use crate::quota::Quota;
use crate::socket::registry::LiveSockets;
use crate::trust::Trust;

/// Event streams one user may hold at a time: a page holds one.
const STREAMS_PER_USER: usize = 64;

/// Event streams at a time.
const STREAMS: usize = 4096;

/// File transfers one user may run at a time.
const TRANSFERS_PER_USER: usize = 16;

/// File transfers at a time.
const TRANSFERS: usize = 1024;

/// Searches of forges one user may run at a time: a form asks each forge for two things.
const SEARCHES_PER_USER: usize = 16;

/// Searches of forges at a time.
const SEARCHES: usize = 256;

/// The gateway's state; clones share it.
#[derive(Debug, Clone)]
pub struct App(Arc<Parts>);

/// Everything behind [`App`].
pub struct Parts {
    pub config: Config,
    pub client: kube::Client,
    pub metrics: Metrics,
    /// Where spans go, unless nobody wants them.
    pub traces: Option<Exporter>,
    pub trust: Arc<Trust>,
    pub sessions: Arc<Store<Session>>,
    pub runs: Arc<Store<Run>>,
    /// None without a database.
    pub archive: Option<Archive>,
    pub reviews: TokenReviews,
    pub access: Access,
    pub namespaces: Namespaces,
    pub pods: Pods,
    pub sockets: LiveSockets,
    pub streams: Quota,
    pub transfers: Quota,
    /// Those that forms search, in the chart's order.
    pub forges: Vec<Forge>,
    pub searches: Quota,
    /// Cancelled when the gateway begins to stop: load balancers should send nobody any more.
    pub draining: CancellationToken,
    /// Cancelled when streams and tunnels must end.
    pub stop: CancellationToken,
    /// Every task that outlives its request.
    pub tasks: TaskTracker,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Parts").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Our name in traces.
pub const SERVICE: &str = "fabrica-gateway";

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// The state of a gateway that talks to this API server, reads this archive, sends traces there and searches these forges.
    pub fn new(
        config: Config,
        client: kube::Client,
        archive: Option<Archive>,
        traces: Option<Exporter>,
        forges: Vec<Forge>,
    ) -> Self {
        let metrics = Metrics::default();
        Self(Arc::new(Parts {
            trust: Arc::default(),
            sessions: Arc::default(),
            runs: Arc::default(),
            archive,
            reviews: TokenReviews::new(client.clone()),
            access: Access::new(client.clone(), config.access, metrics.clone()),
            namespaces: Namespaces::new(client.clone()),
            pods: Pods::default(),
            sockets: LiveSockets::default(),
            streams: Quota::new(STREAMS, STREAMS_PER_USER),
            transfers: Quota::new(TRANSFERS, TRANSFERS_PER_USER),
            forges,
            searches: Quota::new(SEARCHES, SEARCHES_PER_USER),
            draining: CancellationToken::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            config,
            client,
            metrics,
            traces,
        }))
    }
}

/// A resource whose objects are watched.
pub trait Watched: Served {
    /// The store of all.
    fn store(app: &App) -> &Arc<Store<Self>>;
}

impl Watched for Session {
    fn store(app: &App) -> &Arc<Store<Self>> {
        &app.sessions
    }
}

impl Watched for Run {
    fn store(app: &App) -> &Arc<Store<Self>> {
        &app.runs
    }
}
