//! What runs in the pods of the node on this machine, and its sudden death.

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DeleteParams;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use crate::cluster::{Cluster, SYSTEM_NAMESPACE};

/// SIGKILL to the processes of a pod whose command line, words separated by NUL, holds this; whether there were any. The
/// kernel's out-of-memory killer does no other.
pub fn kill(pod: &Pod, command: &str) -> Result<bool> {
    let uid = pod.uid().context("a pod that stands")?;
    let processes = of_pod(&uid, command)?;
    for process in &processes {
        match kill_process(*process, Signal::KILL) {
            // It ended by itself meanwhile.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => bail!("what runs in {} is not ours to kill: {error}", pod.name_any()),
        }
    }
    Ok(!processes.is_empty())
}

/// Kills all that runs in a pod of ours, and the pod: a deleted pod alone is asked to end first, however short its time.
pub async fn kill_pod(cluster: &Cluster, pod: &Pod) -> Result<()> {
    kill(pod, "")?;
    let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    cluster.api::<Pod>(SYSTEM_NAMESPACE).delete(&pod.name_any(), &at_once).await?;
    Ok(())
}

/// By the control groups that the kubelet made for the pod.
fn of_pod(uid: &str, command: &str) -> Result<Vec<Pid>> {
    let groups = [uid.to_owned(), uid.replace('-', "_")];
    let entries = std::fs::read_dir("/proc")?.filter_map(Result::ok);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let numbers = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let meant = numbers.filter(|number| {
        let read = |file: &str| {
            std::fs::read_to_string(format!("/proc/{number}/{file}")).unwrap_or_default()
        };
        let group = read("cgroup");
        groups.iter().any(|name| group.contains(name)) && read("cmdline").contains(command)
    });
    Ok(meant.filter_map(|number| Pid::from_raw(number.parse().ok()?)).collect())
}
