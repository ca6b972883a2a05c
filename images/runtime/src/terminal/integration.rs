//! What shells are given so that they tell where their commands begin and end (OSC 133), and in which folder they are (OSC 7).

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Read by bash instead of `~/.bashrc`, which it reads itself.
const BASHRC: &str = include_str!("integration/bashrc");

/// Whether a shell can be taught to tell.
pub(super) fn is_known(program: &Path) -> bool {
    program.file_name().is_some_and(|name| name == "bash")
}

/// What a shell is started with. One that is not known, or a folder that cannot be written, gives a shell as it is.
pub(super) fn arguments(program: &Path) -> Vec<OsString> {
    if !is_known(program) {
        return Vec::new();
    }
    match install(&std::env::temp_dir().join("fabrica-shell")) {
        Ok(file) => vec!["--rcfile".into(), file.into()],
        Err(error) => {
            tracing::warn!(%error, "shells cannot tell where their commands end");
            Vec::new()
        }
    }
}

/// Writes the file when it is not there: people may empty the folder of temporary files at any time.
fn install(folder: &Path) -> io::Result<PathBuf> {
    let file = folder.join("bashrc");
    // Whoever works in the pod may have put something else there: a pipe, or a link, would be waited for, or followed.
    let is_plain = std::fs::symlink_metadata(&file)
        .is_ok_and(|found| found.is_file() && found.len() == BASHRC.len() as u64);
    if is_plain && std::fs::read(&file).is_ok_and(|found| found == BASHRC.as_bytes()) {
        return Ok(file);
    }
    std::fs::create_dir_all(folder)?;
    let fresh = folder.join(format!("bashrc.{}", uuid::Uuid::new_v4().simple()));
    File::create_new(&fresh)?.write_all(BASHRC.as_bytes())?;
    std::fs::rename(&fresh, &file)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_there_whatever_became_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = install(&folder.path().join("new")).unwrap();
        std::fs::write(&file, "changed").unwrap();
        assert_eq!(install(&folder.path().join("new")).unwrap(), file);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), BASHRC);
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
        assert_eq!(install(&folder.path().join("new")).unwrap(), file);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), BASHRC);
        assert_eq!(arguments(Path::new("/bin/sh")), Vec::<OsString>::new());
    }
}
