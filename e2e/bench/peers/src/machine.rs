//! What the kernel says of this machine and of a process.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::tools;

/// Units of a process's times: what Linux tells every program, whatever its own clock.
const TICKS: f64 = 100.0;

/// Processor time that a process has used, in seconds; that of its children is theirs.
pub(crate) fn cpu_seconds(process: u32) -> Result<f64> {
    used(&format!("/proc/{process}/stat"))
}

/// The same of the thread that asks.
pub(crate) fn cpu_seconds_of_thread() -> Result<f64> {
    used("/proc/thread-self/stat")
}

fn used(path: &str) -> Result<f64> {
    let text = std::fs::read_to_string(path)?;
    // The name before may hold anything.
    let (_, rest) = text.rsplit_once(')').context("a malformed stat")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| -> Result<f64> { Ok(fields.get(at).context("stat")?.parse::<f64>()?) };
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}

/// A figure in KiB from a process's status.
pub(crate) fn memory(process: u32, field: &str) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let figure = line.with_context(|| format!("no {field}"))?.trim().trim_end_matches(" kB");
    Ok(figure.parse()?)
}

/// Prints what the figures depend on, beside rounds and the share of each round's work.
#[expect(clippy::print_stdout, reason = "the head of the table")]
pub(crate) fn describe(rounds: usize, percent: usize) -> Result<()> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model =
        processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism()?;
    let kernel = read("/proc/sys/kernel/osrelease");
    println!(
        "machine: {cores} cores, {}, Linux {}",
        model.map_or("?", |(_, name)| name),
        kernel.trim()
    );
    println!("load before: {}", read("/proc/loadavg").trim());
    let profile = if cfg!(debug_assertions) { "DEBUG: figures mean nothing" } else { "release" };
    println!("programs of ours: profile {profile}; {rounds} rounds, load {percent} %");
    println!("node {}, {}", said(PathBuf::from("node"), &["--version"]), peers());
    println!("{}", said(tools::python()?, &["--version"]));
    Ok(())
}

fn said(program: PathBuf, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output();
    output.map_or_else(
        |error| error.to_string(),
        |it| String::from_utf8_lossy(&it.stdout).trim().to_owned(),
    )
}

/// The versions that the lock files pin.
fn peers() -> String {
    let read =
        |name: &str| std::fs::read_to_string(tools::sources().join(name)).unwrap_or_default();
    let package: serde_json::Value =
        serde_json::from_str(&read("package.json")).unwrap_or_default();
    let version = |name: &str| package["dependencies"][name].as_str().unwrap_or("?").to_owned();
    let requirements = read("requirements.txt").trim().replace("==", " ").replace('\n', ", ");
    format!("node-pty {}, ws {}, {requirements}", version("node-pty"), version("ws"))
}
