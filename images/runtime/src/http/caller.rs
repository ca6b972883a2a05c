//! Who asks, and whether they may.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use fabrica_protocol::assertion::{Claims, Role};

use crate::pod::Pod;
use crate::problem::Problem;

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
