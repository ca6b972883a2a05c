//! Questions to the API server: every one of them ends.

use std::time::Duration;

use crate::problem::Problem;

/// How long the API server may take for one answer, retries of the client included.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may be silent. Watches say something more often than that.
const READ_TIMEOUT: Duration = Duration::from_secs(90);

/// Why the API server gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("the API server answered with an error")]
    Api(#[source] kube::Error),
    #[error("the API server did not answer in {} s", ANSWER_TIMEOUT.as_secs())]
    Timeout,
    #[error("find the API server")]
    Configure(#[source] kube::config::InferConfigError),
    #[error("make a client of the API server")]
    Client(#[source] kube::Error),
}

/// A client for the API server that the environment names.
pub async fn client() -> Result<kube::Client, ApiError> {
    let mut config = kube::Config::infer().await.map_err(ApiError::Configure)?;
    config.read_timeout = Some(READ_TIMEOUT);
    kube::Client::try_from(config).map_err(ApiError::Client)
}

/// Waits for an answer, but not for ever.
pub async fn answer<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, ApiError> {
    match tokio::time::timeout(ANSWER_TIMEOUT, request).await {
        Ok(result) => result.map_err(ApiError::Api),
        Err(_) => Err(ApiError::Timeout),
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        if let ApiError::Api(kube::Error::Api(status)) = &error {
            return Self::from_status(status);
        }
        tracing::warn!(error = crate::chain(&error), "the Kubernetes API server does not answer");
        Self::unavailable("The Kubernetes API server does not answer; try again in a moment.")
    }
}
