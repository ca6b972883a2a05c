//! Refusals as JSON: what is wrong and what to do.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::trust::TrustError;

/// A refusal.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
}

impl Problem {
    /// A refusal with its sentence.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }
}

impl From<TrustError> for Problem {
    fn from(error: TrustError) -> Self {
        // Why an assertion is refused is for the log: whoever forges one need not learn it.
        tracing::warn!(error = %error, "an assertion was refused");
        Self::new(
            StatusCode::UNAUTHORIZED,
            "this needs a valid assertion of the gateway or the operator",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = json!({"type": "about:blank", "title": title, "status": self.status.as_u16(), "detail": self.detail});
        (self.status, [("content-type", "application/problem+json")], Json(body)).into_response()
    }
}
