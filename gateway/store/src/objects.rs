//! What Sessions and Runs were.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use crate::connection::{Store, bounded};
use crate::error::StoreError;
use crate::message::storable;
use crate::read::PAGE;

const COLUMNS: &str = "SELECT uid, kind, namespace, name, owner, parent, phase, branch, commit, pull_request_url, \
     estimated_cost_usd::text AS estimated_cost_usd, created_at, started_at, finished_at, deleted_at FROM objects";

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
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// When it went from the cluster.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// Which objects are listed, newest first.
#[derive(Debug, Clone, Default)]
pub struct ObjectFilter {
    /// Those of these namespaces alone; `None`: of all.
    pub namespaces: Option<Vec<String>>,
    pub kind: Option<String>,
    /// Those that are gone from the cluster alone.
    pub deleted: bool,
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
                   pull_request_url, estimated_cost_usd, created_at, started_at, finished_at, deleted_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::numeric, $12, $13, $14, $15) \
                 ON CONFLICT (uid) DO UPDATE SET (phase, branch, commit, pull_request_url, estimated_cost_usd, \
                   started_at, finished_at, deleted_at) = (excluded.phase, excluded.branch, excluded.commit, \
                   excluded.pull_request_url, excluded.estimated_cost_usd, excluded.started_at, \
                   excluded.finished_at, excluded.deleted_at) \
                 WHERE (old.phase, old.branch, old.commit, old.pull_request_url, old.estimated_cost_usd, \
                   old.started_at, old.finished_at, old.deleted_at) IS DISTINCT FROM (excluded.phase, \
                   excluded.branch, excluded.commit, excluded.pull_request_url, excluded.estimated_cost_usd, \
                   excluded.started_at, excluded.finished_at, excluded.deleted_at)",
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

    /// Objects newest first, those that are gone from the cluster included.
    pub async fn objects(&self, filter: &ObjectFilter) -> Result<Vec<Object>, StoreError> {
        bounded(async {
            let mut query = sqlx::QueryBuilder::new(COLUMNS);
            query.push(" WHERE true");
            if let Some(namespaces) = &filter.namespaces {
                query.push(" AND namespace = ANY(").push_bind(namespaces).push(")");
            }
            if let Some(kind) = &filter.kind {
                query.push(" AND kind = ").push_bind(kind);
            }
            if filter.deleted {
                query.push(" AND deleted_at IS NOT NULL");
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
