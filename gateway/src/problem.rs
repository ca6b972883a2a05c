//! Errors as callers see them: `application/problem+json` with a sentence that says what to do.

use axum::extract::rejection::PathRejection;
use axum::response::{IntoResponse, Response};
use fabrica_protocol::recovery::{Recovery, Way, after_status};
use http::{HeaderValue, StatusCode, header};
use kube::core::Status;
use serde::Serialize;
use utoipa::ToSchema;

/// The longest list of fields named in one problem.
const FIELD_LIMIT: usize = 32;

/// What is wrong with a field that nobody knows.
pub const UNKNOWN_FIELD: &str = "this field does not exist; remove it or correct its name";

/// What is wrong with a field that stands there more than once.
pub const DUPLICATE_FIELD: &str = "this field stands here twice; keep one";

/// What the API server calls a field when it means none: there it says that it has not looked at everything.
const NO_FIELD: &str = "<nil>";

/// One field that is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field's path in the request body, such as `spec.repository.url`, or the part of the query or path.
    pub field: String,
    /// What is wrong with it and how to put it right.
    pub message: String,
}

/// Why a request failed (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the status code is the type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The status code's name.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// What went wrong and what to do.
    pub detail: String,
    /// Whether work goes on where it was, once `recovery` has been done.
    pub recoverable: bool,
    /// The one thing that helps: `retry` (later, by itself), `login`, `recreate` (it is not there), or `button` (a person decides).
    #[schema(value_type = String)]
    pub recovery: Recovery,
    /// The fields that are wrong, when the body, the query or the path was refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
    #[serde(skip)]
    retry_after_seconds: Option<u64>,
}

impl Problem {
    /// A problem with a status code and a sentence.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let Way { recoverable, recovery } = after_status(status.as_u16());
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            recoverable,
            recovery,
            errors: Vec::new(),
            retry_after_seconds: None,
        }
    }

    /// 401: nobody is logged in, or not any more.
    pub fn not_logged_in() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "Not logged in: log in again, or send Authorization: Bearer with a Kubernetes token.",
        )
    }

    /// 401: a token was sent that is not good.
    pub fn invalid_token() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "This token is not valid or has expired; get a new one, for example with kubectl create token.",
        )
    }

    /// 404: it does not exist, or the caller may not know that it does.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{what} does not exist, or you may not see it."))
    }

    /// 403: the caller knows the object but may not do this to it.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 400: one part of the path, the query or the headers is wrong.
    pub fn bad_part(part: &str, message: impl Into<String>) -> Self {
        let error = FieldError { field: part.to_owned(), message: message.into() };
        Self::of_field(StatusCode::BAD_REQUEST, error)
    }

    /// 422: one field of the body is wrong.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        let error = FieldError { field: field.to_owned(), message: message.into() };
        Self::of_field(StatusCode::UNPROCESSABLE_ENTITY, error)
    }

    /// One field is all that is wrong.
    pub fn of_field(status: StatusCode, error: FieldError) -> Self {
        let detail = format!("{}: {}", error.field, error.message);
        Self::new(status, detail).with_errors(vec![error])
    }

    /// The same problem with the fields that are wrong.
    #[must_use]
    pub fn with_errors(self, errors: Vec<FieldError>) -> Self {
        Self { errors, ..self }
    }

    /// 429: too often or too many.
    pub fn too_many(detail: impl Into<String>, retry_after_seconds: u64) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(retry_after_seconds)
    }

    /// 503: something this gateway needs does not answer.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(2)
    }

    /// The same problem with a Retry-After header.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after_seconds: Some(seconds), ..self }
    }

    /// What the API server said to the gateway's own request.
    pub fn from_status(status: &Status) -> Self {
        from_status(status)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UPGRADE_REQUIRED {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

fn from_status(status: &Status) -> Problem {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match code {
        StatusCode::BAD_REQUEST => strict_decoding(status),
        StatusCode::UNPROCESSABLE_ENTITY => with_causes(status),
        StatusCode::NOT_FOUND => Problem::not_found("This object or its namespace"),
        StatusCode::FORBIDDEN => refused_by_policy(status),
        StatusCode::UNAUTHORIZED => {
            tracing::error!(
                reason = status.message,
                "the API server refuses the gateway's own token"
            );
            Problem::unavailable("The gateway is not allowed to ask the Kubernetes API server.")
        }
        StatusCode::CONFLICT | StatusCode::GONE => Problem::new(code, status.message.clone()),
        StatusCode::TOO_MANY_REQUESTS => {
            Problem::too_many("The Kubernetes API server is busy; try again in a moment.", 2)
        }
        _ => {
            tracing::warn!(code = status.code, reason = status.message, "the API server failed");
            Problem::unavailable("The Kubernetes API server failed; try again in a moment.")
        }
    }
}

/// Quotas, admission policies and a terminating namespace all come as 403 with their own sentence.
fn refused_by_policy(status: &Status) -> Problem {
    tracing::info!(reason = status.message, "the API server refused a write");
    Problem::forbidden(status.message.clone())
}

fn with_causes(status: &Status) -> Problem {
    let causes =
        status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    let errors: Vec<FieldError> = causes
        .iter()
        .filter(|cause| cause.field != NO_FIELD)
        .take(FIELD_LIMIT)
        .map(|cause| FieldError { field: cause.field.clone(), message: plain(&cause.message) })
        .collect();
    let detail = match errors.first() {
        Some(first) => format!("{}: {}", first.field, first.message),
        None => status.message.clone(),
    };
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with_errors(errors)
}

/// The API server begins many a sentence with `Invalid value: "object": `, which tells nobody anything.
fn plain(message: &str) -> String {
    let Some(rest) = message.strip_prefix("Invalid value: ") else { return message.to_owned() };
    let sentence = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split_once("\": ").map(|(_, sentence)| sentence),
        None => rest.split_once(": ").map(|(_, sentence)| sentence),
    };
    sentence.unwrap_or(message).to_owned()
}

/// Strict decoding names the fields in its sentence alone: `strict decoding error: unknown field "spec.x"`.
fn strict_decoding(status: &Status) -> Problem {
    let Some((_, list)) = status.message.split_once("strict decoding error: ") else {
        return Problem::bad_request(status.message.clone());
    };
    let errors = list.split(", ").take(FIELD_LIMIT).filter_map(strict_field).collect();
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, list).with_errors(errors)
}

fn strict_field(text: &str) -> Option<FieldError> {
    let (message, rest) = text.split_once(" \"")?;
    let (field, _) = rest.split_once('"')?;
    let message = match message {
        "unknown field" => UNKNOWN_FIELD,
        "duplicate field" => DUPLICATE_FIELD,
        other => other,
    };
    Some(FieldError { field: field.to_owned(), message: message.to_owned() })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn status(value: serde_json::Value) -> Status {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn names_unknown_and_duplicate_fields() {
        let problem = from_status(&status(json!({
            "code": 400,
            "message": "Session in version \"v1alpha1\" cannot be handled as a Session: strict decoding error: \
                        unknown field \"spec.foo\", duplicate field \"spec.image\"",
        })));
        assert_eq!(problem.status, 422);
        let fields: Vec<_> = problem.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["spec.foo", "spec.image"]);
    }

    #[test]
    fn carries_the_causes_of_an_invalid_object() {
        let problem = from_status(&status(json!({
            "code": 422,
            "message": "Session is invalid",
            "details": {"causes": [
                {"field": "<nil>", "message": "Invalid value: null: some validation rules were not checked", "reason": ""},
                {"field": "spec.repository.url", "message": "must be http or https", "reason": ""},
            ]},
        })));
        assert_eq!(problem.detail, "spec.repository.url: must be http or https");
        assert_eq!(problem.errors.len(), 1);
    }

    #[rstest]
    #[case(
        "Invalid value: \"object\": spec.x needs spec.y: because",
        "spec.x needs spec.y: because"
    )]
    #[case("Invalid value: 3: must be at least 60", "must be at least 60")]
    #[case("Invalid value: \"a b\": must hold no spaces", "must hold no spaces")]
    #[case("Invalid value: odd", "Invalid value: odd")]
    #[case("Required value", "Required value")]
    fn leaves_out_what_says_nothing(#[case] message: &str, #[case] expected: &str) {
        assert_eq!(plain(message), expected);
    }

    #[rstest]
    #[case(401, 503)]
    #[case(403, 403)]
    #[case(404, 404)]
    #[case(409, 409)]
    #[case(429, 429)]
    #[case(500, 503)]
    #[case(0, 503)]
    fn translates_codes(#[case] from: u16, #[case] to: u16) {
        let problem = from_status(&status(json!({"code": from, "message": "no"})));
        assert_eq!(problem.status, to);
    }
}
