//! Requests to the runtimes in pods, each with a signed assertion.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use fabrica_protocol::runtime::PORT;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::objects::SessionView;

/// How long a connection to a pod may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a pod may take until the head of its answer, beside the time of an upload.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a pod could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum PodError {
    #[error("send the request")]
    Send(#[source] hyper_util::client::legacy::Error),
    #[error("the pod did not answer in time")]
    Timeout,
    #[error("build the request")]
    Build(#[source] http::Error),
    #[error("the pod refused with {0}")]
    Refused(StatusCode),
}

/// A pod that can be reached, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    pub address: SocketAddr,
    /// UID of the Session: the audience of assertions.
    pub uid: String,
}

impl Pod {
    /// The pod of a Session, as soon as it has an address.
    pub fn of(view: &SessionView) -> Option<Self> {
        let ip: IpAddr = view.status.as_ref()?.pod_ip.as_deref()?.parse().ok()?;
        Some(Self { address: SocketAddr::new(ip, PORT), uid: view.metadata.uid.clone() })
    }
}

/// Sends requests to pods.
#[derive(Debug)]
pub struct Pods {
    client: Client<HttpConnector, Body>,
}

impl Default for Pods {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        // Pods come and go: a connection that is kept might lead to another pod with the same address.
        Self {
            client: Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(0)
                .build(connector),
        }
    }
}

impl Pods {
    /// Sends a request. `assertion` is a signed token for this pod.
    pub async fn send(
        &self,
        pod: &Pod,
        assertion: &str,
        mut request: Request<Body>,
        limit: Option<Duration>,
    ) -> Result<Response<Incoming>, PodError> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let uri = format!("http://{}{path}", pod.address)
            .parse()
            .map_err(|error| PodError::Build(http::Error::from(error)))?;
        *request.uri_mut() = uri;
        request.headers_mut().insert(header::AUTHORIZATION, bearer(assertion)?);
        let answer = self.client.request(request);
        match limit {
            Some(limit) => {
                tokio::time::timeout(limit, answer).await.map_err(|_| PodError::Timeout)?
            }
            None => answer.await,
        }
        .map_err(PodError::Send)
    }

    /// Has the pod close one connection with a code, so that its client learns why.
    pub async fn close(
        &self,
        pod: &Pod,
        assertion: &str,
        connection: &str,
        code: u16,
    ) -> Result<(), PodError> {
        let request = Request::post(format!("/v1/connections/{connection}/close"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(format!("{{\"code\":{code}}}")))
            .map_err(PodError::Build)?;
        let answer = self.send(pod, assertion, request, Some(ANSWER_TIMEOUT)).await?;
        if answer.status().is_success() { Ok(()) } else { Err(PodError::Refused(answer.status())) }
    }
}

/// The Authorization header of an assertion.
pub fn bearer(assertion: &str) -> Result<HeaderValue, PodError> {
    let mut value = HeaderValue::try_from(format!("Bearer {assertion}"))
        .map_err(|error| PodError::Build(http::Error::from(error)))?;
    value.set_sensitive(true);
    Ok(value)
}
