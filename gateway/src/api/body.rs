//! Request bodies: of a bounded size, JSON with errors that name the field.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::misread;
use crate::problem::Problem;

/// The largest JSON body: a Session is far smaller, and etcd takes no more than 1.5 MiB.
const BODY_BYTES: usize = 256 * 1024;

/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// Reads a JSON body. Fields that nobody knows are refused by their name.
pub async fn read_json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Problem> {
    // A page of another site can send text/plain without being asked first, but not JSON.
    if !has_type(headers, "application/json") {
        let detail = "Send the body as JSON, with Content-Type: application/json.";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let bytes = read_bytes(body, BODY_BYTES).await?;
    let mut reader = serde_json::Deserializer::from_slice(&bytes);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| explain(&error))?;
    reader.end().map_err(|error| no_json(&error))?;
    Ok(read)
}

/// The same for a body that may be left out.
pub async fn read_optional_json<T: DeserializeOwned + Default>(
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Problem> {
    if body.is_end_stream() {
        return Ok(T::default());
    }
    read_json(headers, body).await
}

/// Whether the body is said to be of this type.
pub fn has_type(headers: &HeaderMap, wanted: &str) -> bool {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    content_type.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case(wanted)
}

/// Reads a body of at most so many bytes.
pub async fn read_bytes(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let reading = Limited::new(body, limit).collect();
    let Ok(read) = tokio::time::timeout(BODY_TIMEOUT, reading).await else {
        let detail = "The body did not arrive in time.";
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail));
    };
    match read {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let detail = format!("The body is larger than {limit} bytes.");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail))
        }
        Err(_) => Err(Problem::bad_request("The body ended early.")),
    }
}

fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    if error.inner().is_data() {
        return Problem::of_field(StatusCode::UNPROCESSABLE_ENTITY, misread::field(error));
    }
    no_json(error.inner())
}

fn no_json(error: &serde_json::Error) -> Problem {
    Problem::bad_request(format!("The body is not JSON: {error}."))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its presence is tested")]
        token: String,
    }

    #[rstest]
    #[case("{\"token\":\"a\"}", "application/json; charset=utf-8", None, None)]
    #[case("{\"token\":\"a\",\"more\":1}", "application/json", Some(422), Some("more"))]
    #[case("{}", "application/json", Some(422), Some("token"))]
    #[case("{\"token\":4}", "application/json", Some(422), Some("token"))]
    #[case("{", "application/json", Some(400), None)]
    #[case("{\"token\":\"a\"}}", "application/json", Some(400), None)]
    #[case("{\"token\":\"a\"}", "text/plain", Some(415), None)]
    #[tokio::test]
    async fn explains(
        #[case] body: &'static str,
        #[case] content_type: &'static str,
        #[case] status: Option<u16>,
        #[case] field: Option<&str>,
    ) {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        let problem = read_json::<Sample>(&headers, Body::from(body)).await.err();
        assert_eq!(problem.as_ref().map(|problem| problem.status), status);
        let named =
            problem.and_then(|problem| problem.errors.first().map(|error| error.field.clone()));
        assert_eq!(named.as_deref(), field);
    }

    #[tokio::test]
    async fn refuses_large_bodies() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        let body = Body::from(vec![b' '; BODY_BYTES + 1]);
        assert_eq!(read_json::<Sample>(&headers, body).await.unwrap_err().status, 413);
    }
}
