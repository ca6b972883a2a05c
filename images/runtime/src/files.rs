//! Files of the workspace: read and written below it, and nowhere else.
//!
//! The kernel itself keeps a path inside (openat2 with RESOLVE_BENEATH) and follows no link, so neither `..` nor a
//! link that appears between two looks leads out.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, BodyDataStream};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures::StreamExt;
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, fstatvfs, mkdirat, openat, openat2, renameat,
    unlinkat,
};
use rustix::io::Errno;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;

use crate::problem::Problem;

/// Entries of a listing; a folder with more says so.
const ENTRIES: usize = 2_000;
/// Parts of a path.
const DEPTH: usize = 64;
/// What is read of an upload that was refused: more than fits between two sockets, and no burden.
const HEARD_BYTES: usize = 64 * 1024 * 1024;
const HEARING: Duration = Duration::from_secs(5);
/// The name of an upload until it is complete.
const PARTIAL: &str = ".fabrica-upload-";

/// Without it a path could lead out of the workspace: nothing weaker takes its place.
const NO_OPENAT2: &str = "files need the system call openat2 (Linux 5.6 or newer); this node's kernel or the pod's seccomp profile does not allow it";

/// A file's bytes, or a folder's entries.
pub async fn read(root: &Path, path: &str) -> Result<Response, Problem> {
    let (root, path) = (root.to_owned(), path.to_owned());
    apart(move || open(&root, &path)).await
}

/// Does on a thread of its own what a slow disk or a large folder makes long: everything else would wait, as there is one
/// thread.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?
}

fn open(root: &Path, path: &str) -> Result<Response, Problem> {
    let file = std::fs::File::from(open_inside(root, path, OFlags::RDONLY | OFlags::NONBLOCK)?);
    let data = file.metadata().map_err(|error| failed(path, &error))?;
    if data.is_dir() {
        return list(&file, path);
    }
    if !data.is_file() {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            format!("{path} is neither a file nor a folder"),
        ));
    }
    let name = path.rsplit('/').next().unwrap_or_default().replace(['"', '\\', '\r', '\n'], "_");
    Response::builder()
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CONTENT_LENGTH, data.len())
        .header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))
        .body(Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(file))))
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

fn list(folder: &std::fs::File, path: &str) -> Result<Response, Problem> {
    // Through the open folder, so that the path is not walked a second time.
    let entries = std::fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()))
        .map_err(|error| failed(path, &error))?;
    let mut all: Vec<_> = entries.flatten().take(ENTRIES + 1).collect();
    let truncated = all.len() > ENTRIES;
    all.truncate(ENTRIES);
    all.sort_by_key(std::fs::DirEntry::file_name);
    let entries: Vec<_> = all
        .iter()
        .filter_map(|entry| {
            let data = entry.metadata().ok()?;
            let kind = match data.file_type() {
                kind if kind.is_dir() => "directory",
                kind if kind.is_symlink() => "symlink",
                _ => "file",
            };
            let modified = data.modified().map(DateTime::<Utc>::from).unwrap_or_default();
            Some(json!({"name": entry.file_name().to_string_lossy(), "kind": kind, "size": data.len(), "modified": modified}))
        })
        .collect();
    Ok(Json(json!({"entries": entries, "truncated": truncated})).into_response())
}

/// Writes a file as a whole: until the last byte is there, the old one stays.
pub async fn write(
    root: &Path,
    path: &str,
    length: Option<u64>,
    body: Body,
) -> Result<(), Problem> {
    let mut stream = body.into_data_stream();
    let written = store(root, path, length, &mut stream).await;
    if written.is_err() {
        let _ = tokio::time::timeout(HEARING, hear_out(&mut stream)).await;
    }
    written
}

/// A client that is cut off while it still sends does not read why, so a refused upload is read on for a while.
async fn hear_out(stream: &mut BodyDataStream) {
    let mut heard = 0;
    while heard < HEARD_BYTES {
        let Some(Ok(chunk)) = stream.next().await else { return };
        heard += chunk.len();
    }
}

async fn store(
    root: &Path,
    path: &str,
    length: Option<u64>,
    stream: &mut BodyDataStream,
) -> Result<(), Problem> {
    let (place, named) = (root.to_owned(), path.to_owned());
    let (upload, file) = apart(move || Upload::begin(&place, &named, length)).await?;
    let written = copy(tokio::fs::File::from_std(file), stream, path).await;
    apart(move || upload.end(written)).await
}

/// A file that is being written.
struct Upload {
    folder: OwnedFd,
    /// Its name until it is complete.
    partial: String,
    name: String,
    path: String,
}

impl Upload {
    fn begin(
        root: &Path,
        path: &str,
        length: Option<u64>,
    ) -> Result<(Self, std::fs::File), Problem> {
        let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let name = parts.pop().filter(|name| *name != "." && *name != "..");
        let Some(name) = name else {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "the path must end with the file's name",
            ));
        };
        let folder = make_folders(root, path, &parts)?;
        check_space(&folder, length)?;
        let partial = format!("{PARTIAL}{:016x}", rand_name());
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file =
            openat(&folder, partial.as_str(), flags, mode).map_err(|error| refused(path, error))?;
        let (name, path) = (name.to_owned(), path.to_owned());
        Ok((Self { folder, partial, name, path }, file.into()))
    }

    /// Puts it in its place, once it is written.
    fn end(self, written: Result<(), Problem>) -> Result<(), Problem> {
        let Self { folder, partial, name, path } = self;
        let done = written.and_then(|()| {
            renameat(&folder, partial.as_str(), &folder, name.as_str())
                .map_err(|error| refused(&path, error))
        });
        if done.is_err() {
            // Nothing of a failed upload stays; that it cannot be removed changes nothing about the failure.
            let _ = unlinkat(&folder, partial.as_str(), AtFlags::empty());
        }
        done
    }
}

async fn copy(
    mut file: tokio::fs::File,
    stream: &mut BodyDataStream,
    path: &str,
) -> Result<(), Problem> {
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| {
            Problem::new(StatusCode::BAD_REQUEST, "the upload broke off; nothing was kept")
        })?;
        file.write_all(&chunk).await.map_err(|error| failed(path, &error))?;
    }
    file.flush().await.map_err(|error| failed(path, &error))
}

/// The folder of a path, made where it is missing, one part at a time and never through a link.
fn make_folders(root: &Path, path: &str, parts: &[&str]) -> Result<OwnedFd, Problem> {
    if parts.len() > DEPTH {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            format!("a path may have at most {DEPTH} parts"),
        ));
    }
    let mut folder = open_inside(root, "", OFlags::RDONLY | OFlags::DIRECTORY)?;
    for part in parts {
        match mkdirat(&folder, *part, Mode::from_raw_mode(0o775)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(refused(path, error)),
        }
        folder = beneath(folder.as_fd(), part, OFlags::RDONLY | OFlags::DIRECTORY)
            .map_err(|error| refused(path, error))?;
    }
    Ok(folder)
}

/// Refuses early what cannot fit.
fn check_space(folder: &OwnedFd, length: Option<u64>) -> Result<(), Problem> {
    let (Some(length), Ok(space)) = (length, fstatvfs(folder)) else { return Ok(()) };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    if length > free {
        return Err(no_space(format!(
            "the upload has {length} bytes; {free} are free in the workspace"
        )));
    }
    Ok(())
}

fn open_inside(root: &Path, path: &str, flags: OFlags) -> Result<OwnedFd, Problem> {
    let top =
        openat(CWD, root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| refused("the workspace", error))?;
    let path = path.trim_matches('/');
    if path.is_empty() {
        return Ok(top);
    }
    beneath(top.as_fd(), path, flags).map_err(|error| refused(path, error))
}

fn beneath(
    folder: std::os::fd::BorrowedFd<'_>,
    path: &str,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(folder, path, flags | OFlags::CLOEXEC, Mode::empty(), inside).map_err(|error| {
        match error {
            // Only a seccomp profile that does not know the call says so to somebody who reads.
            Errno::PERM => Errno::NOSYS,
            other => other,
        }
    })
}

fn refused(path: &str, error: Errno) -> Problem {
    match error {
        Errno::NOENT => Problem::new(StatusCode::NOT_FOUND, format!("{path} does not exist")),
        Errno::XDEV | Errno::LOOP => Problem::new(
            StatusCode::FORBIDDEN,
            format!("{path} leads through a link or out of the workspace; use the file's own path"),
        ),
        Errno::NOSYS => Problem::new(StatusCode::NOT_IMPLEMENTED, NO_OPENAT2),
        Errno::NOTDIR => {
            Problem::new(StatusCode::CONFLICT, format!("a part of {path} is a file, not a folder"))
        }
        Errno::ISDIR => Problem::new(StatusCode::CONFLICT, format!("{path} is a folder")),
        Errno::NOSPC | Errno::DQUOT => no_space("the workspace is full".to_owned()),
        Errno::ACCESS | Errno::PERM => {
            Problem::new(StatusCode::FORBIDDEN, format!("{path}: permission denied"))
        }
        error => Problem::new(StatusCode::BAD_REQUEST, format!("{path}: {error}")),
    }
}

fn failed(path: &str, error: &std::io::Error) -> Problem {
    refused(path, error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error))
}

fn no_space(detail: String) -> Problem {
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, detail)
}

/// A name that no other upload has.
fn rand_name() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::time::Instant::now())
}
