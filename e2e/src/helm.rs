//! The real helm: `HELM` names it, else the one on the PATH is taken.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use tempfile::NamedTempFile;

use crate::cluster::SYSTEM_NAMESPACE;

/// The release that `make up` installs.
pub const RELEASE: &str = "fabrica";
/// How long helm waits for Deployments.
const TIMEOUT: &str = "3m";

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

/// The values that the release has now.
pub fn present_values() -> Result<NamedTempFile> {
    let values =
        succeed(&["get", "values", RELEASE, "--namespace", SYSTEM_NAMESPACE, "--output", "yaml"])?;
    let mut file = NamedTempFile::with_suffix(".yaml")?;
    file.write_all(values.as_bytes())?;
    Ok(file)
}

/// Installs or upgrades our chart with these values, and waits until it stands.
pub fn install(command: &[&str], values: &NamedTempFile) -> Result<()> {
    let mut all = arguments(command, values);
    all.extend(["--wait".to_owned(), "--timeout".to_owned(), TIMEOUT.to_owned()]);
    succeed(&all).map(drop)
}

/// A helm command on our chart with these values.
pub fn arguments(command: &[&str], values: &NamedTempFile) -> Vec<String> {
    let common = ["--namespace", SYSTEM_NAMESPACE, "--values"];
    let mut all: Vec<String> =
        command.iter().chain(&common).map(|word| (*word).to_owned()).collect();
    all.push(values.path().to_string_lossy().into_owned());
    all.push(chart());
    all
}
