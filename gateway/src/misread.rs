//! What serde has against a value, told by the field that holds it.

use std::error::Error as StdError;
use std::fmt::Display;
use std::iter::successors;

use axum::extract::rejection::QueryRejection;
use http::StatusCode;
use serde::de::value;
use serde_path_to_error::Error;

use crate::problem::{DUPLICATE_FIELD, FieldError, Problem, UNKNOWN_FIELD};

/// What the whole of a body is called, where no field of it can be named.
const WHOLE: &str = "body";

/// The field that could not be read, and why.
pub fn field<E: Display>(error: &Error<E>) -> FieldError {
    let words = error.inner().to_string();
    // JSON's errors end with a place, which the field says better.
    let words = words.rsplit_once(" at line ").map_or(&*words, |(words, _)| words);
    let path = Some(error.path().to_string()).filter(|path| path != ".");
    let inside = |name: &str| match &path {
        Some(path) => format!("{path}.{name}"),
        None => name.to_owned(),
    };
    let named = |start| words.strip_prefix(start).map(|name| inside(name.trim_matches('`')));
    if let Some(field) = named("missing field ") {
        return FieldError { field, message: "must be set".to_owned() };
    }
    if let Some(field) = named("duplicate field ") {
        return FieldError { field, message: DUPLICATE_FIELD.to_owned() };
    }
    let message =
        if words.starts_with("unknown field ") { UNKNOWN_FIELD.to_owned() } else { plain(words) };
    FieldError { field: path.unwrap_or_else(|| WHOLE.to_owned()), message }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        match parameter(&rejection) {
            Some(error) => Self::of_field(StatusCode::BAD_REQUEST, error),
            None => Self::bad_request(rejection.body_text()),
        }
    }
}

/// The parameter of a query that could not be read, and why.
fn parameter(rejection: &QueryRejection) -> Option<FieldError> {
    let first: &(dyn StdError + 'static) = rejection;
    successors(Some(first), |&error| error.source())
        .find_map(|error| error.downcast_ref::<Error<value::Error>>())
        .map(field)
}

/// serde's `invalid type: integer 4, expected a string`, as what to do and what is there.
fn plain(words: &str) -> String {
    let Some((found, wanted)) = words.rsplit_once(", expected ") else { return words.to_owned() };
    let found = found.split_once(": ").map_or(found, |(_, found)| found);
    let found = found.trim_start_matches("unknown variant ");
    let wanted =
        if wanted == "a map" || wanted.starts_with("struct ") { "an object" } else { wanted };
    format!("must be {wanted}, and is {found}")
}

#[cfg(test)]
mod tests {
    use axum::extract::Query;
    use rstest::rstest;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Terminal,
        Chat,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    #[expect(dead_code, reason = "only what cannot be read is tested")]
    struct Sample {
        work_id: String,
        mode: Option<Mode>,
        inner: Option<Box<Self>>,
        limit: Option<u32>,
    }

    #[rstest]
    #[case("{\"workId\":4}", "workId", "must be a string, and is integer `4`")]
    #[case("{\"mode\":\"Chat\"}", "mode", "must be `terminal` or `chat`, and is `Chat`")]
    #[case("{\"inner\":{\"workId\":[]}}", "inner.workId", "must be a string, and is sequence")]
    #[case("{\"inner\":{}}", "inner.workId", "must be set")]
    #[case("{\"workID\":\"4\"}", "workID", UNKNOWN_FIELD)]
    #[case("{\"mode\":null,\"mode\":null}", "mode", DUPLICATE_FIELD)]
    #[case("4", "body", "must be an object, and is integer `4`")]
    fn names_the_field_and_not_its_value(
        #[case] body: &str,
        #[case] field: &str,
        #[case] message: &str,
    ) {
        let mut reader = serde_json::Deserializer::from_str(body);
        let error = serde_path_to_error::deserialize::<_, Sample>(&mut reader).unwrap_err();
        let told = super::field(&error);
        assert_eq!((told.field.as_str(), told.message.as_str()), (field, message));
    }

    #[rstest]
    #[case("limit=many", "limit")]
    #[case("spaces=1", "spaces")]
    #[case("limit=1", "workId")]
    fn names_the_parameter(#[case] query: &str, #[case] field: &str) {
        let address = format!("/?{query}").parse().unwrap();
        let rejection = Query::<Sample>::try_from_uri(&address).unwrap_err();
        assert_eq!(parameter(&rejection).unwrap().field, field);
    }
}
