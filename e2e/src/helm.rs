//! The real helm: `HELM` names it, else the one on the PATH is taken.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

/// The chart of this repository.
pub fn chart() -> String {
    project().join("charts/fabrica").to_string_lossy().into_owned()
}

/// The repository.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs helm, whatever comes of it.
pub fn helm<S: AsRef<OsStr>>(arguments: &[S]) -> Result<Output> {
    let program = std::env::var_os("HELM").unwrap_or_else(|| "helm".into());
    Command::new(&program).args(arguments).output().with_context(|| {
        format!(
            "{} cannot be run: set HELM, or take the one that `make up` built: eval \"$(make -s env)\"",
            Path::new(&program).display()
        )
    })
}

/// Runs helm and answers what it printed; its own words when it fails.
pub fn succeed<S: AsRef<OsStr>>(arguments: &[S]) -> Result<String> {
    let output = helm(arguments)?;
    ensure!(output.status.success(), "helm: {}", text(&output.stderr));
    Ok(text(&output.stdout))
}

/// What a program printed.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
