//! Files that lie where the agent can put anything.

use std::fs::{File, OpenOptions};
use std::io::{Error, Result};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a file of the disk and nothing else: a link could lead to what is ours alone, and a pipe would be waited for.
pub(crate) fn open(options: &mut OpenOptions, path: &Path) -> Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = options.custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(Error::other("it is no plain file")) }
}

/// The same, to read it.
pub(crate) fn read(path: &Path) -> Result<File> {
    open(OpenOptions::new().read(true), path)
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn nothing_but_a_file_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("file"), "words").unwrap();
        std::os::unix::fs::symlink(path("file"), path("link")).unwrap();
        mknodat(CWD, path("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert!(read(&path("file")).is_ok());
        for name in ["link", "pipe", ".", "none"] {
            assert!(read(&path(name)).is_err(), "{name}");
        }
        let mut writing = OpenOptions::new();
        writing.read(true).write(true).create(true);
        assert!(
            open(&mut writing, &path("pipe")).is_err() && open(&mut writing, &path("new")).is_ok()
        );
    }
}
