//! Who may come in: assertions, checked with the keys that the downward API brings.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::Utc;
use fabrica_protocol::assertion::{AssertionError, Claims, PublicKeys};

/// How long a used connection id is remembered: longer than its assertion lives, skew included.
const REMEMBERED_SECONDS: i64 = 120;

/// Why somebody stays outside.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("read the public keys")]
    Read(#[source] std::io::Error),
    #[error(transparent)]
    Assertion(#[from] AssertionError),
    #[error("the assertion was used before")]
    Used,
    #[error("there is no assertion")]
    Missing,
}

/// Checks assertions for one object.
#[derive(Debug)]
pub struct Gate {
    file: PathBuf,
    audience: String,
    keys: Mutex<Known>,
    /// Connection ids that were used, and until when they are remembered.
    used: Mutex<HashMap<String, i64>>,
}

/// The keys as last read, and which state of the file they are from.
#[derive(Debug, Default)]
struct Known {
    version: Option<Version>,
    keys: Arc<PublicKeys>,
}

/// What tells one state of a file from any other. A volume of the downward API changes by a link that points to
/// another file, which may be as old and as long as the one before; a file that is written again may be, too, but
/// the kernel moves the time of its change.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<Metadata> for Version {
    fn from(data: Metadata) -> Self {
        Self {
            device: data.dev(),
            inode: data.ino(),
            length: data.size(),
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
        }
    }
}

impl Gate {
    /// A gate for the object with this UID.
    pub fn new(file: PathBuf, audience: String) -> Self {
        Self { file, audience, keys: Mutex::default(), used: Mutex::default() }
    }

    /// The claims of an `Authorization` header.
    pub fn check(&self, authorization: Option<&str>) -> Result<Claims, TrustError> {
        let token = authorization
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or(TrustError::Missing)?;
        Ok(self.keys()?.verify(token, &self.audience, Utc::now())?)
    }

    /// As [`Self::check`], and the connection id counts once.
    pub fn check_once(&self, authorization: Option<&str>) -> Result<Claims, TrustError> {
        let claims = self.check(authorization)?;
        let now = Utc::now().timestamp();
        let mut used = guard(&self.used);
        used.retain(|_, until| *until > now);
        if used.insert(claims.jti.clone(), now + REMEMBERED_SECONDS).is_some() {
            return Err(TrustError::Used);
        }
        Ok(claims)
    }

    /// The present keys: a rotation changes the file under a running pod.
    fn keys(&self) -> Result<Arc<PublicKeys>, TrustError> {
        // Opened once, so that what is read is what was compared.
        let mut file = File::open(&self.file).map_err(TrustError::Read)?;
        let version = Some(file.metadata().map_err(TrustError::Read)?.into());
        let mut known = guard(&self.keys);
        if known.version != version {
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(TrustError::Read)?;
            known.keys = Arc::new(PublicKeys::parse(&text)?);
            known.version = version;
        }
        Ok(known.keys.clone())
    }
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
