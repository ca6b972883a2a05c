//! What Sessions and Runs were.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use crate::connection::{Store, bounded};
use crate::error::StoreError;
use crate::message::{storable, storable_value};
use crate::read::PAGE;

const COLUMNS: &str = "SELECT uid, kind, namespace, name, owner, parent, phase, branch, commit, pull_request_url, \
     estimated_cost_usd::text AS estimated_cost_usd, status, created_at, started_at, finished_at, deleted_at FROM objects";

/// One Session or Run, and how it stands or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub uid: Uuid,
    /// `Session` or `Run`.
    pub kind: String,
    pub namespace: String,
    pub name: String,
    pub owner: Option<String>,
    /// The object it was made from, as a Run that tries another again.
    pub parent: Option<Uuid>,
    pub phase: String,
    pub branch: Option<String>,
    pub commit: Option<String>,
    pub pull_request_url: Option<String>,
    /// A decimal.
    pub estimated_cost_usd: Option<String>,
    /// The last one that the cluster had, whole.
    pub status: Option<Value>,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// When it went from the cluster.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// Which objects are listed, newest first.
#[derive(Debug, Clone, Default)]
pub struct ObjectFilter {
    /// Those of this namespace alone; `None`: of all.
    pub namespace: Option<String>,
    pub kind: Option<String>,
    pub owner: Option<String>,
    pub phase: Option<String>,
    /// Not these: those that the cluster has.
    pub living: Vec<Uuid>,
    /// Those alone that are marked as deleted, or were made before this time.
    pub deleted_or_before: Option<DateTime<Utc>>,
    /// Those behind this one: creation time and UID of the last of the page before.
    pub behind: Option<(DateTime<Utc>, Uuid)>,
    /// At most [`PAGE`].
    pub limit: u32,
}

impl FromRow<'_, PgRow> for Object {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            uid: row.try_get("uid")?,
            kind: row.try_get("kind")?,
            namespace: row.try_get("namespace")?,
            name: row.try_get("name")?,
            owner: row.try_get("owner")?,
            parent: row.try_get("parent")?,
            phase: row.try_get("phase")?,
            branch: row.try_get("branch")?,
            commit: row.try_get("commit")?,
            pull_request_url: row.try_get("pull_request_url")?,
            estimated_cost_usd: row.try_get("estimated_cost_usd")?,
            status: row.try_get::<Option<Json<Value>>, _>("status")?.map(|Json(status)| status),
            created_at: row.try_get("created_at")?,
            started_at: row.try_get("started_at")?,
            finished_at: row.try_get("finished_at")?,
            deleted_at: row.try_get("deleted_at")?,
        })
    }
}

impl Store {
    /// Adds an object, or brings what the archive says of it up to date. What is equal is not written.
    pub async fn put_object(&self, object: &Object) -> Result<(), StoreError> {
        let text = |text: &Option<String>| text.as_deref().map(storable).map(String::from);
        bounded(async {
            sqlx::query(
                "INSERT INTO objects AS old (uid, kind, namespace, name, owner, parent, phase, branch, commit, \
                   pull_request_url, estimated_cost_usd, status, created_at, started_at, finished_at, deleted_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::numeric, $12, $13, $14, $15, $16) \
                 ON CONFLICT (uid) DO UPDATE SET (phase, branch, commit, pull_request_url, estimated_cost_usd, status, \
                   started_at, finished_at, deleted_at) = (excluded.phase, excluded.branch, excluded.commit, \
                   excluded.pull_request_url, excluded.estimated_cost_usd, excluded.status, excluded.started_at, \
                   excluded.finished_at, excluded.deleted_at) \
                 WHERE (old.phase, old.branch, old.commit, old.pull_request_url, old.estimated_cost_usd, old.status, \
                   old.started_at, old.finished_at, old.deleted_at) IS DISTINCT FROM (excluded.phase, \
                   excluded.branch, excluded.commit, excluded.pull_request_url, excluded.estimated_cost_usd, \
                   excluded.status, excluded.started_at, excluded.finished_at, excluded.deleted_at)",
            )
            .bind(object.uid)
            .bind(storable(&object.kind))
            .bind(storable(&object.namespace))
            .bind(storable(&object.name))
            .bind(text(&object.owner))
            .bind(object.parent)
            .bind(storable(&object.phase))
            .bind(text(&object.branch))
            .bind(text(&object.commit))
            .bind(text(&object.pull_request_url))
            .bind(text(&object.estimated_cost_usd))
            .bind(object.status.as_ref().map(|status| Json(storable_value(status).into_owned())))
            .bind(object.created_at)
            .bind(object.started_at)
            .bind(object.finished_at)
            .bind(object.deleted_at)
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }

    pub async fn object(&self, uid: Uuid) -> Result<Option<Object>, StoreError> {
        bounded(async {
            let mut query = sqlx::QueryBuilder::new(COLUMNS);
            query.push(" WHERE uid = ").push_bind(uid);
            Ok(query.build_query_as().fetch_optional(&self.pool).await?)
        })
        .await
    }

    /// The newest object of a kind that had this name.
    pub async fn object_named(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Object>, StoreError> {
        bounded(async {
            let mut query = sqlx::QueryBuilder::new(COLUMNS);
            query.push(" WHERE namespace = ").push_bind(namespace);
            query.push(" AND name = ").push_bind(name);
            query.push(" AND kind = ").push_bind(kind);
            query.push(" ORDER BY created_at DESC, uid DESC LIMIT 1");
            Ok(query.build_query_as().fetch_optional(&self.pool).await?)
        })
        .await
    }

    /// Objects, newest first.
    pub async fn objects(&self, filter: &ObjectFilter) -> Result<Vec<Object>, StoreError> {
        bounded(async {
            let mut query = sqlx::QueryBuilder::new(COLUMNS);
            query.push(" WHERE true");
            let texts = [
                (" AND namespace = ", &filter.namespace),
                (" AND kind = ", &filter.kind),
                (" AND owner = ", &filter.owner),
                (" AND phase = ", &filter.phase),
            ];
            for (condition, text) in texts {
                if let Some(text) = text {
                    query.push(condition).push_bind(text);
                }
            }
            if !filter.living.is_empty() {
                query.push(" AND NOT uid = ANY(").push_bind(&filter.living).push(")");
            }
            if let Some(before) = filter.deleted_or_before {
                query.push(" AND (deleted_at IS NOT NULL OR created_at < ");
                query.push_bind(before).push(")");
            }
            if let Some((created_at, uid)) = filter.behind {
                query.push(" AND (created_at, uid) < (").push_bind(created_at);
                query.push(", ").push_bind(uid).push(")");
            }
            query.push(" ORDER BY created_at DESC, uid DESC LIMIT ");
            query.push_bind(i64::from(filter.limit.min(PAGE)));
            Ok(query.build_query_as().fetch_all(&self.pool).await?)
        })
        .await
    }
}
