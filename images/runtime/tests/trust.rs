//! Keys as the kubelet brings them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at what it did not expect"
)]

mod support;

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use fabrica_protocol::assertion::Role;
use fabrica_runtime::trust::Gate;
use support::{KEYS, UID, assertion};

/// A downward API volume changes by one link that points to another folder; the files may be equally old and long.
#[test]
fn keys_behind_a_link_that_moved_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let age = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for (version, keys) in [("..1", KEYS), ("..2", &KEYS.replace("one", "two"))] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("keys"), keys).unwrap();
        File::options()
            .append(true)
            .open(at(version).join("keys"))
            .unwrap()
            .set_modified(age)
            .unwrap();
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/keys", at("keys")).unwrap();
    let gate = Gate::new(at("keys"), UID.to_owned());
    let bearer = format!("Bearer {}", assertion(Role::View));
    assert!(gate.check(Some(&bearer)).is_ok());
    symlink("..2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    assert!(gate.check(Some(&bearer)).is_err(), "the key was withdrawn");
}
