//! What the recorder asks of a pod's runtime.

use fabrica_protocol::run::Spent;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};

use crate::runtime_client::{Conversation, RuntimeClient, RuntimeError};

/// A stream of NDJSON, in chunks that may end anywhere.
pub type Chunks = BoxStream<'static, Result<Vec<u8>, RuntimeError>>;

/// A runtime's door.
pub trait Door: Send + Sync + 'static {
    /// The records after this one, and those to come.
    fn follow<'a>(
        &'a self,
        address: &'a str,
        uid: &'a str,
        after: u64,
    ) -> BoxFuture<'a, Result<Chunks, RuntimeError>>;

    /// Everything up to this record is kept, where so much was used up.
    fn acknowledge<'a>(
        &'a self,
        address: &'a str,
        uid: &'a str,
        seq: u64,
        spent: Option<Spent>,
    ) -> BoxFuture<'a, Result<(), RuntimeError>>;

    /// The conversation of the newest checkpoint.
    fn conversation<'a>(
        &'a self,
        address: &'a str,
        uid: &'a str,
    ) -> BoxFuture<'a, Result<Option<Conversation>, RuntimeError>>;
}

impl Door for RuntimeClient {
    fn follow<'a>(
        &'a self,
        address: &'a str,
        uid: &'a str,
        after: u64,
    ) -> BoxFuture<'a, Result<Chunks, RuntimeError>> {
        async move {
            let answer = Self::follow(self, address, uid, after).await?;
            let chunks = answer.bytes_stream().map_ok(|chunk| chunk.to_vec());
            Ok(chunks.map_err(RuntimeError::from).boxed())
        }
        .boxed()
    }

    fn acknowledge<'a>(
        &'a self,
        address: &'a str,
        uid: &'a str,
        seq: u64,
        spent: Option<Spent>,
    ) -> BoxFuture<'a, Result<(), RuntimeError>> {
        Self::acknowledge(self, address, uid, seq, spent).boxed()
    }

    fn conversation<'a>(
        &'a self,
        address: &'a str,
        uid: &'a str,
    ) -> BoxFuture<'a, Result<Option<Conversation>, RuntimeError>> {
        Self::conversation(self, address, uid).boxed()
    }
}
