//! What attempts used.

use uuid::Uuid;

use crate::connection::{Store, bounded};
use crate::error::{StoreError, bigint, integer};

/// Tokens by class, and what they cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_read_tokens: u64,
    pub cache_write_tokens: u64,
    /// A decimal.
    pub estimated_cost_usd: String,
}

impl Store {
    /// Sets what an attempt has used in all until now.
    pub async fn put_usage(
        &self,
        uid: Uuid,
        attempt: u32,
        usage: &Usage,
    ) -> Result<(), StoreError> {
        let attempt = integer(attempt)?;
        let tokens = [
            bigint(usage.input_tokens)?,
            bigint(usage.output_tokens)?,
            bigint(usage.cache_read_tokens)?,
            bigint(usage.cache_write_tokens)?,
        ];
        bounded(async {
            sqlx::query(
                "INSERT INTO usage (uid, attempt, input_tokens, output_tokens, cache_read_tokens, \
                   cache_write_tokens, estimated_cost_usd) VALUES ($1, $2, $3, $4, $5, $6, $7::numeric) \
                 ON CONFLICT (uid, attempt) DO UPDATE SET (input_tokens, output_tokens, cache_read_tokens, \
                   cache_write_tokens, estimated_cost_usd, updated_at) = (excluded.input_tokens, \
                   excluded.output_tokens, excluded.cache_read_tokens, excluded.cache_write_tokens, \
                   excluded.estimated_cost_usd, now())",
            )
            .bind(uid)
            .bind(attempt)
            .bind(tokens[0])
            .bind(tokens[1])
            .bind(tokens[2])
            .bind(tokens[3])
            .bind(&usage.estimated_cost_usd)
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }

    /// What all attempts of an object used together.
    pub async fn usage(&self, uid: Uuid) -> Result<Usage, StoreError> {
        bounded(async {
            let (input, output, cache_read, cache_write, cost): (i64, i64, i64, i64, String) =
                sqlx::query_as(
                    "SELECT coalesce(sum(input_tokens), 0)::bigint, coalesce(sum(output_tokens), 0)::bigint, \
                       coalesce(sum(cache_read_tokens), 0)::bigint, coalesce(sum(cache_write_tokens), 0)::bigint, \
                       coalesce(sum(estimated_cost_usd), 0)::text FROM usage WHERE uid = $1",
                )
                .bind(uid)
                .fetch_one(&self.pool)
                .await?;
            Ok(Usage {
                input_tokens: input.cast_unsigned(),
                output_tokens: output.cast_unsigned(),
                cache_read_tokens: cache_read.cast_unsigned(),
                cache_write_tokens: cache_write.cast_unsigned(),
                estimated_cost_usd: cost,
            })
        })
        .await
    }
}
