//! The messages of a Run, by a cursor: the newest that its status keeps.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use fabrica_crds::Run;
use fabrica_crds::parts::{Message, MessageType};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Verb;
use crate::api::caller::Caller;
use crate::api::named::Named;
use crate::api::objects::write::permitted;
use crate::app::App;
use crate::objects::RunView;
use crate::openapi::MessageSchema;
use crate::problem::Problem;

/// How many messages an answer holds when nothing is said.
const PAGE: usize = 100;

/// How many messages an answer holds at most.
const PAGE_LIMIT: usize = 1000;

/// Which messages.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MessageQuery {
    /// Only those whose `seq` is greater.
    #[param(nullable = false)]
    after: Option<i64>,
    /// How many at most, the oldest first (1 to 1000, default 100).
    #[param(minimum = 1, maximum = 1000, nullable = false)]
    limit: Option<usize>,
}

/// Messages, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageList {
    #[schema(value_type = Vec<MessageSchema>)]
    items: Vec<Message>,
}

/// Tells what happened in a run. Ask again with `after` = the last `seq` for what came since.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/runs/{name}/messages", tag = "runs",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The run's name"), MessageQuery),
    responses(
        (status = 200, description = "The messages", body = MessageList),
        (status = 400, description = "The query is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get_messages(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Run>,
    query: Result<Query<MessageQuery>, QueryRejection>,
) -> Result<Json<MessageList>, Problem> {
    let cursor = Cursor::try_from(query?.0)?;
    let view = permitted::<Run>(&app, &identity, Verb::Get, &key).await?;
    Ok(Json(MessageList { items: cursor.read(&view) }))
}

/// A place in a Run's messages, and how many to take from there.
#[derive(Debug)]
pub(super) struct Cursor {
    after: i64,
    limit: usize,
}

impl TryFrom<MessageQuery> for Cursor {
    type Error = Problem;

    fn try_from(MessageQuery { after, limit }: MessageQuery) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(PAGE);
        if !(1..=PAGE_LIMIT).contains(&limit) {
            return Err(Problem::bad_request(format!("limit must be between 1 and {PAGE_LIMIT}.")));
        }
        Ok(Self { after: after.unwrap_or(i64::MIN), limit })
    }
}

impl Cursor {
    /// The messages from here on.
    pub(super) fn read(&self, view: &RunView) -> Vec<Message> {
        let kept = view.status.as_ref().map(|status| status.messages.as_slice());
        let later = kept.unwrap_or_default().iter().filter(|message| message.seq > self.after);
        later.take(self.limit).cloned().collect()
    }
}

/// The type of a message in the short form.
pub(super) fn short_type(kind: MessageType) -> &'static str {
    match kind {
        MessageType::Failed => "error",
        MessageType::Started
        | MessageType::Progress
        | MessageType::Finished
        | MessageType::Notice => "progress",
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(None, None, &[3, 5, 6])]
    #[case(Some(3), None, &[5, 6])]
    #[case(Some(4), Some(1), &[5])]
    #[case(Some(6), None, &[])]
    fn reads_from_a_place(
        #[case] after: Option<i64>,
        #[case] limit: Option<usize>,
        #[case] expected: &[i64],
    ) {
        let message = |seq| json!({"seq": seq, "time": "2026-01-01T00:00:00Z", "type": "Notice", "text": "x"});
        let run: Run = serde_json::from_value(json!({
            "apiVersion": "fabrica.dev/v1alpha1", "kind": "Run", "metadata": {"name": "a"},
            "spec": {"repository": {"url": "https://git.example.com/a"}, "plan": "x"},
            "status": {"messages": [message(3), message(5), message(6)]},
        }))
        .unwrap();
        let cursor = Cursor::try_from(MessageQuery { after, limit }).unwrap();
        let seqs: Vec<i64> = cursor.read(&run.into()).iter().map(|message| message.seq).collect();
        assert_eq!(seqs, expected);
    }
}
