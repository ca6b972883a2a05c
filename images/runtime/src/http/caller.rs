//! Who asks, and whether they may.

use std::sync::Arc;

use axum::body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use fabrica_protocol::assertion::{Claims, Role};

use serde::de::DeserializeOwned;

use crate::pod::Pod;
use crate::problem::Problem;

/// The largest JSON body: the longest answer, which may need six bytes for one, and who gave it.
const BODY_BYTES: usize = 32 * 1024;

/// What every door is given.
pub(super) type Shared = State<Arc<Pod>>;

/// The caller's claims, if they name one of these roles.
pub(super) fn allow(pod: &Pod, headers: &HeaderMap, roles: &[Role]) -> Result<Claims, Problem> {
    let claims = pod.gate.check(authorization(headers))?;
    if roles.contains(&claims.role) {
        return Ok(claims);
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "your role does not allow this"))
}

pub(super) fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()
}

/// The body of a request; a refusal says what it must look like.
pub(super) async fn read_json<T: DeserializeOwned>(
    request: Request,
    form: &str,
) -> Result<T, Problem> {
    let bytes = body::to_bytes(request.into_body(), BODY_BYTES)
        .await
        .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, format!("the body must be {form}: {error}"))
    })
}
