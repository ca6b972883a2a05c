//! Files to and from a Session's workspace, as streams.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;

use crate::gateway::{GatewayError, session};
use crate::output;
use crate::place::Door;

/// How often progress is told.
const PERIOD: Duration = Duration::from_millis(200);

/// Where a Session's files are, in the Session.
const WORKSPACE: &str = "/workspace";

/// What is read of a file at once.
const CHUNK: usize = 64 * 1024;

/// Files could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("one of both must be in a Session, as NAME:PATH, and the other one here")]
    Ends,
    #[error("{0} must lie below /workspace, without . and .. parts")]
    Outside(String),
    #[error("{} cannot be read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is a folder: pack it first, with `tar -cf folder.tar {}`, and copy the archive", .0.display(), .0.display())]
    LocalFolder(PathBuf),
    #[error(
        "{0} is a folder: pack it first, in the Session, with `tar -cf folder.tar {0}`, and copy the archive"
    )]
    RemoteFolder(String),
    #[error("{} cannot be written", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the download broke off; try again")]
    BrokeOff(#[source] reqwest::Error),
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}

/// A path here or in a Session.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Here(PathBuf),
    There { session: String, path: String },
}

impl End {
    /// `NAME:PATH` is in a Session; a path that has a slash before its first colon is not.
    fn of(text: &str) -> Self {
        match text.split_once(':') {
            Some((session, path)) if !session.is_empty() && !session.contains('/') => {
                Self::There { session: session.to_owned(), path: path.to_owned() }
            }
            _ => Self::Here(text.into()),
        }
    }
}

/// Copies one file, and answers what is said of it.
pub async fn copy(door: &Door, from: &str, to: &str) -> Result<String, CopyError> {
    match (End::of(from), End::of(to)) {
        (End::Here(file), End::There { session, path }) => {
            upload(door, &file, &session, inside(&path)?.to_owned()).await
        }
        (End::There { session, path }, End::Here(file)) => {
            download(door, &session, inside(&path)?, file).await
        }
        _ => Err(CopyError::Ends),
    }
}

/// A Session's path as its workspace has it: relative ones begin there.
fn inside(path: &str) -> Result<&str, CopyError> {
    let outside = || CopyError::Outside(path.to_owned());
    // The gateway would refuse these, if they came that far: clients of HTTP resolve them by themselves.
    if path.split('/').any(|part| matches!(part, "." | "..")) {
        return Err(outside());
    }
    if !path.starts_with('/') {
        return Ok(path);
    }
    match path.strip_prefix(WORKSPACE).ok_or_else(outside)? {
        below if below.is_empty() || below.starts_with('/') => Ok(below.trim_start_matches('/')),
        _ => Err(outside()),
    }
}

async fn upload(
    door: &Door,
    file: &Path,
    name: &str,
    mut path: String,
) -> Result<String, CopyError> {
    let failed = |source| CopyError::Read { path: file.to_owned(), source };
    let data = tokio::fs::metadata(file).await.map_err(failed)?;
    if data.is_dir() {
        return Err(CopyError::LocalFolder(file.to_owned()));
    }
    if path.is_empty() || path.ends_with('/') {
        path.push_str(&file.file_name().unwrap_or_default().to_string_lossy());
    }
    let reader = tokio::fs::File::open(file).await.map_err(failed)?;
    let mut progress = Progress::new(&path, Some(data.len()));
    let stream = ReaderStream::with_capacity(reader, CHUNK).inspect(move |chunk| {
        if let Ok(chunk) = chunk {
            progress.add(chunk.len());
        }
    });
    let body = reqwest::Body::wrap_stream(stream);
    let place = session(&door.namespace, name, "/files/");
    let sent = door.gateway.upload(&place, &path, data.len(), body).await;
    output::clear_progress();
    sent?;
    Ok(format!("{} is {name}:{path} now, {}.", file.display(), size(data.len())))
}

async fn download(
    door: &Door,
    name: &str,
    path: &str,
    mut file: PathBuf,
) -> Result<String, CopyError> {
    let place = session(&door.namespace, name, "/files/");
    let (length, mut body) = match door.gateway.download(&place, path).await? {
        None => return Err(CopyError::RemoteFolder(path.to_owned())),
        Some(answer) => (answer.content_length(), answer.bytes_stream()),
    };
    if file.is_dir() || file.as_os_str().to_string_lossy().ends_with('/') {
        file.push(path.rsplit('/').next().unwrap_or(path));
    }
    // The old file stays until the new one is whole.
    let partial = partial(&file);
    let failed = |source| CopyError::Write { path: file.clone(), source };
    let mut writer = tokio::fs::File::create(&partial).await.map_err(failed)?;
    let mut progress = Progress::new(path, length);
    let copied = async {
        let mut count = 0;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(CopyError::BrokeOff)?;
            writer.write_all(&chunk).await.map_err(failed)?;
            progress.add(chunk.len());
            count += chunk.len() as u64;
        }
        writer.flush().await.map_err(failed)?;
        tokio::fs::rename(&partial, &file).await.map_err(failed)?;
        Ok(count)
    };
    let copied: Result<u64, CopyError> = copied.await;
    output::clear_progress();
    if copied.is_err() {
        // That it cannot be removed changes nothing about the failure.
        let _ = tokio::fs::remove_file(&partial).await;
    }
    Ok(format!("{name}:{path} is {} now, {}.", file.display(), size(copied?)))
}

/// A name beside the file that nothing else has.
fn partial(file: &Path) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!(".{name}.{}", uuid::Uuid::new_v4().simple()))
}

/// How far a copy is, told now and then where somebody looks.
struct Progress {
    name: String,
    done: u64,
    all: Option<u64>,
    told: Instant,
}

impl Progress {
    fn new(name: &str, all: Option<u64>) -> Self {
        Self { name: name.to_owned(), done: 0, all, told: Instant::now() }
    }

    fn add(&mut self, count: usize) {
        self.done += count as u64;
        if self.told.elapsed() >= PERIOD {
            self.told = Instant::now();
            output::progress(&self.words());
        }
    }

    fn words(&self) -> String {
        match self.all {
            Some(all) if all > 0 => {
                let percent = self.done.saturating_mul(100) / all;
                format!("{}  {} of {}  {percent} %", self.name, size(self.done), size(all))
            }
            _ => format!("{}  {}", self.name, size(self.done)),
        }
    }
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let power = (bytes.ilog2() / 10).min(4);
    let tenths = u128::from(bytes) * 10 / (1_u128 << (10 * power));
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[power as usize - 1])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("first:repo/a b", Some(("first", "repo/a b")))]
    #[case("first:/workspace/x", Some(("first", "/workspace/x")))]
    #[case("first:", Some(("first", "")))]
    #[case("./a:b", None)]
    #[case("notes.txt", None)]
    fn a_colon_names_a_session(#[case] text: &str, #[case] there: Option<(&str, &str)>) {
        let expected = there.map_or_else(
            || End::Here(text.into()),
            |(session, path)| End::There { session: session.to_owned(), path: path.to_owned() },
        );
        assert_eq!(End::of(text), expected);
    }

    #[rstest]
    #[case("", Some(""))]
    #[case("repo/a b", Some("repo/a b"))]
    #[case("workspace/x", Some("workspace/x"))]
    #[case("/workspace", Some(""))]
    #[case("/workspace/", Some(""))]
    #[case("/workspace/x", Some("x"))]
    #[case("/workspace//x/", Some("x/"))]
    #[case("/etc/x", None)]
    #[case("/workspace2/x", None)]
    #[case("/", None)]
    #[case("//workspace/x", None)]
    #[case("../x", None)]
    #[case("/workspace/./x", None)]
    fn paths_lie_in_the_workspace(#[case] path: &str, #[case] below: Option<&str>) {
        match (inside(path), below) {
            (Err(error), None) => assert_eq!(
                error.to_string(),
                format!("{path} must lie below /workspace, without . and .. parts")
            ),
            (found, below) => assert_eq!(found.ok(), below),
        }
    }

    #[rstest]
    #[case(0, "0 bytes")]
    #[case(1_023, "1023 bytes")]
    #[case(1_536, "1.5 KiB")]
    #[case(5 * 1024 * 1024 * 1024, "5.0 GiB")]
    fn sizes_are_short(#[case] bytes: u64, #[case] words: &str) {
        assert_eq!(size(bytes), words);
    }

    #[test]
    fn progress_says_how_much_of_what() {
        let mut progress = Progress::new("x", Some(4096));
        progress.add(1024);
        assert_eq!(progress.words(), "x  1.0 KiB of 4.0 KiB  25 %");
    }
}
