//! Forges that an administrator names, searched for whoever fills in a form: repositories, and work items of one.
//!
//! The runtime's forge works for one repository with that repository's login. This one reads alone, with a token that is
//! meant for all who may create something.

mod http;
mod questions;
mod settings;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::StatusCode;

use self::http::Http;
pub use self::questions::{Repository, Slug, Words, WorkItem};
pub use self::settings::{Kind, Settings, SettingsError};
use crate::cache::ExpiringTable;

/// How long an answer holds: who types and deletes a letter asks nobody again, and what is new is soon found.
const LIFETIME: Duration = Duration::from_secs(10);

/// Answers of each kind that are remembered for a forge.
const CAPACITY: usize = 256;

/// The longest token that is read.
const TOKEN_BYTES: usize = 4096;

/// Why a forge did not tell what it has.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    #[error("make a client of forges")]
    Client(#[source] reqwest::Error),
    #[error("read the forge's token")]
    Token(#[source] io::Error),
    #[error("the forge's token holds characters that no header may, or is too long")]
    TokenCharacters,
    #[error("reach the forge")]
    Unreachable(#[source] reqwest::Error),
    #[error("the forge answered {0}")]
    Refused(StatusCode),
    #[error("the forge wants to be left alone for {seconds} s")]
    Limited { seconds: u64 },
    #[error("the forge's answer is too long")]
    TooLong,
    #[error("the forge's answer is not what its API promises")]
    Answer(#[source] serde_json::Error),
}

type Known<K, V> = Mutex<ExpiringTable<K, Arc<[V]>>>;

/// One forge, and what it answered of late. Everybody gets the same answers: the token is the gateway's.
#[derive(Debug)]
pub struct Forge {
    settings: Settings,
    http: Http,
    repositories: Known<Words, Repository>,
    work_items: Known<(Slug, Words), WorkItem>,
}

impl Forge {
    /// The forges of these settings.
    pub fn all(settings: &[Settings]) -> Result<Vec<Self>, ForgeError> {
        if settings.is_empty() {
            return Ok(Vec::new());
        }
        let http = Http::new()?;
        let forge = |settings: &Settings| Self {
            settings: settings.clone(),
            http: http.clone(),
            repositories: Mutex::new(ExpiringTable::new(LIFETIME, CAPACITY)),
            work_items: Mutex::new(ExpiringTable::new(LIFETIME, CAPACITY)),
        };
        Ok(settings.iter().map(forge).collect())
    }

    pub fn kind(&self) -> Kind {
        self.settings.kind
    }

    /// What stands before `owner/name` in the addresses of its repositories.
    pub fn url(&self) -> &str {
        &self.settings.url
    }

    /// Whether there is a token: without one, only what is public is found.
    pub async fn has_token(&self) -> Result<bool, ForgeError> {
        Ok(self.token().await?.is_some())
    }

    /// Repositories whose names hold the words; without words, those that changed last.
    pub async fn repositories(&self, words: Words) -> Result<Arc<[Repository]>, ForgeError> {
        if let Some(known) = recall(&self.repositories, &words) {
            return Ok(known);
        }
        let token = self.token().await?;
        let address = questions::repositories(&self.settings, &words, token.is_some());
        let found = match address {
            Some(address) => {
                let listed = self.http.get(self.settings.kind, token.as_deref(), &address).await?;
                questions::told_repositories(&self.settings, listed)
            }
            None => Vec::new(),
        };
        Ok(remember(&self.repositories, words, found))
    }

    /// Open work items that hold the words; the one of a number, whatever its state.
    pub async fn work_items(&self, of: Slug, words: Words) -> Result<Arc<[WorkItem]>, ForgeError> {
        let key = (of, words);
        if let Some(known) = recall(&self.work_items, &key) {
            return Ok(known);
        }
        let token = self.token().await?;
        let address = questions::work_items(&self.settings, &key.0, &key.1);
        let found = match self.http.get(self.settings.kind, token.as_deref(), &address).await {
            Ok(listed) => questions::told_items(listed),
            // Nothing has this number: that is an answer.
            Err(ForgeError::Refused(StatusCode::NOT_FOUND)) if key.1.number().is_some() => {
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        Ok(remember(&self.work_items, key, found))
    }

    async fn token(&self) -> Result<Option<String>, ForgeError> {
        match &self.settings.token_file {
            Some(file) => read_token(file).await,
            None => Ok(None),
        }
    }
}

/// The token in a file. A Secret that is not there makes no file.
async fn read_token(file: &Path) -> Result<Option<String>, ForgeError> {
    match tokio::fs::read_to_string(file).await {
        Ok(text) if text.len() > TOKEN_BYTES => Err(ForgeError::TokenCharacters),
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|token| !token.is_empty())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ForgeError::Token(error)),
    }
}

fn recall<K: Eq + std::hash::Hash, V>(known: &Known<K, V>, key: &K) -> Option<Arc<[V]>> {
    known.lock().unwrap_or_else(PoisonError::into_inner).get(key, Instant::now())
}

fn remember<K: Eq + std::hash::Hash, V>(known: &Known<K, V>, key: K, found: Vec<V>) -> Arc<[V]> {
    let found: Arc<[V]> = found.into();
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    known.insert(key, Arc::clone(&found), Instant::now());
    found
}
