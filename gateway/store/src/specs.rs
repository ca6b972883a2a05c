//! The specs an object had.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::connection::{Store, bounded};
use crate::error::StoreError;
use crate::ingest::lock;
use crate::message::storable_value;

/// One version. It never changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Counts from 1.
    pub version: u32,
    pub spec: Value,
    pub created_at: DateTime<Utc>,
}

impl Store {
    /// Adds a version when the spec differs from the newest one; says which version is the newest now.
    pub async fn put_spec(&self, uid: Uuid, spec: &Value) -> Result<u32, StoreError> {
        let spec = storable_value(spec);
        bounded(async {
            let mut transaction = self.pool.begin().await?;
            lock(&mut transaction, uid).await?;
            let newest: Option<(i32, bool)> = sqlx::query_as(
                "SELECT version, spec = $2 FROM specs WHERE uid = $1 ORDER BY version DESC LIMIT 1",
            )
            .bind(uid)
            .bind(Json(spec.as_ref()))
            .fetch_optional(&mut *transaction)
            .await?;
            let version = match newest {
                Some((version, true)) => return Ok(version.cast_unsigned()),
                Some((version, false)) => version + 1,
                None => 1,
            };
            sqlx::query("INSERT INTO specs (uid, version, spec) VALUES ($1, $2, $3)")
                .bind(uid)
                .bind(version)
                .bind(Json(spec.as_ref()))
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(version.cast_unsigned())
        })
        .await
    }

    /// All versions, oldest first.
    pub async fn specs(&self, uid: Uuid) -> Result<Vec<Spec>, StoreError> {
        bounded(async {
            let rows: Vec<(i32, Json<Value>, DateTime<Utc>)> = sqlx::query_as(
                "SELECT version, spec, created_at FROM specs WHERE uid = $1 ORDER BY version",
            )
            .bind(uid)
            .fetch_all(&self.pool)
            .await?;
            let spec = |(version, Json(spec), created_at): (i32, _, _)| Spec {
                version: version.cast_unsigned(),
                spec,
                created_at,
            };
            Ok(rows.into_iter().map(spec).collect())
        })
        .await
    }

    /// The newest version of each of these objects that has one.
    pub async fn newest_specs(&self, uids: &[Uuid]) -> Result<HashMap<Uuid, Spec>, StoreError> {
        bounded(async {
            let rows: Vec<(Uuid, i32, Json<Value>, DateTime<Utc>)> = sqlx::query_as(
                "SELECT DISTINCT ON (uid) uid, version, spec, created_at FROM specs WHERE uid = ANY($1) \
                 ORDER BY uid, version DESC",
            )
            .bind(uids)
            .fetch_all(&self.pool)
            .await?;
            let spec = |(uid, version, Json(spec), created_at): (Uuid, i32, _, _)| {
                (uid, Spec { version: version.cast_unsigned(), spec, created_at })
            };
            Ok(rows.into_iter().map(spec).collect())
        })
        .await
    }
}
