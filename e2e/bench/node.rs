//! Processes of pods, as the node sees them. The bench has to run on the node for that.

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

/// A figure in KiB from the status of the first process in a pod's first container.
pub(crate) fn memory(pod: &Pod, field: &str) -> Result<f64> {
    let status = status(pod)?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let text = line.with_context(|| format!("no {field} in the status"))?;
    Ok(text.trim().trim_end_matches("kB").trim().parse()?)
}

fn status(pod: &Pod) -> Result<String> {
    let id = pod
        .status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten())
        .find_map(|container| container.container_id.as_deref()?.rsplit('/').next())
        .context("the pod has no container yet")?;
    for entry in std::fs::read_dir("/proc")? {
        let folder = entry?.path();
        // Processes come and go while we look.
        let Ok(groups) = std::fs::read_to_string(folder.join("cgroup")) else { continue };
        let Ok(status) = std::fs::read_to_string(folder.join("status")) else { continue };
        if groups.contains(id) && is_first(&status) {
            return Ok(status);
        }
    }
    bail!("the process of {} is not on this machine", pod.name_any())
}

/// Whether the process is number 1 of its container.
fn is_first(status: &str) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))
        .is_some_and(|ids| ids.split_whitespace().last() == Some("1"))
}
