//! An attempt begins in an empty workspace, whatever its volume brings.
//!
//! Nothing that a former attempt's agent left is looked at: hooks, configuration, a home, a clone. What is gone on from
//! lies at the forge and in the archive, and both are asked for by their digests.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What a file system makes for itself at its root. It is root's, and nobody can remove it.
const OF_THE_FILE_SYSTEM: &str = "lost+found";

/// Removes everything. Of links, only the link goes.
pub(super) fn empty(workspace: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(workspace)? {
        let entry = entry?;
        if entry.file_name() == OF_THE_FILE_SYSTEM {
            continue;
        }
        let path = entry.path();
        if !entry.file_type()?.is_dir() {
            std::fs::remove_file(&path)?;
        } else if std::fs::remove_dir_all(&path).is_err() {
            // Caches of some tools are folders that nobody may write to.
            open_up(&path)?;
            std::fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

/// Makes a folder, and all in it, ours to change.
fn open_up(folder: &Path) -> io::Result<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        std::fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_but_what_is_the_file_systems() {
        let folder = tempfile::tempdir().unwrap();
        let (workspace, elsewhere) = (folder.path().join("workspace"), folder.path().join("other"));
        std::fs::create_dir_all(&elsewhere).unwrap();
        std::fs::write(elsewhere.join("kept"), "").unwrap();
        for made in ["lost+found", "repo/.git/hooks", "home/go/pkg/mod/a"] {
            std::fs::create_dir_all(workspace.join(made)).unwrap();
        }
        std::fs::write(workspace.join("home/go/pkg/mod/a/b.go"), "").unwrap();
        std::os::unix::fs::symlink(&elsewhere, workspace.join("link")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, workspace.join("repo/link")).unwrap();
        let read_only = Permissions::from_mode(0o555);
        std::fs::set_permissions(workspace.join("home/go/pkg/mod/a"), read_only).unwrap();
        empty(&workspace).unwrap();
        let left: Vec<_> = std::fs::read_dir(&workspace).unwrap().flatten().collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].file_name(), "lost+found");
        assert!(elsewhere.join("kept").exists());
    }

    #[test]
    fn folders_that_nobody_may_write_to_are_opened_up() {
        let folder = tempfile::tempdir().unwrap();
        let closed = folder.path().join("a/b");
        std::fs::create_dir_all(closed.join("c")).unwrap();
        std::fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
        open_up(folder.path()).unwrap();
        assert_eq!(closed.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
}
