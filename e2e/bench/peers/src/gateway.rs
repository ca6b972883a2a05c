//! The real gateway before an API server that lets everybody in.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use serde_json::json;
use tempfile::NamedTempFile;

use crate::api_server::{ApiServer, NAMESPACE};
use crate::client::{Protocol, Way};
use crate::tools;

/// A running gateway. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) process: Child,
    pub(crate) address: SocketAddr,
    _kubeconfig: NamedTempFile,
}

impl Gateway {
    pub(crate) fn start(api: &ApiServer) -> Result<Self> {
        let (address, admin) = (tools::free_address()?, tools::free_address()?);
        let kubeconfig = NamedTempFile::new()?;
        let content = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "clusters": [{"name": "bench", "cluster": {"server": format!("http://{}", api.address)}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
            "users": [{"name": "bench", "user": {}}],
        });
        std::fs::write(kubeconfig.path(), content.to_string())?;
        let process = Command::new(tools::beside("fabrica-gateway")?)
            .args(["--address", &address.to_string(), "--admin-address", &admin.to_string()])
            .env("KUBECONFIG", kubeconfig.path())
            .env("FABRICA_LOG", "error")
            .stdin(Stdio::null())
            .spawn()
            .context("start the gateway")?;
        let gateway = Self { process, address, _kubeconfig: kubeconfig };
        tools::eventually("the gateway is ready", || tools::answers(admin, "/readyz"))?;
        Ok(gateway)
    }

    /// To a Session's terminals, as this user.
    pub(crate) fn way(&self, session: &str, user: &str) -> Way {
        Way {
            address: self.address,
            path: format!("/api/v1/namespaces/{NAMESPACE}/sessions/{session}/terminal"),
            token: Some(user.to_owned()),
            protocol: Protocol::Kterm,
        }
    }

    /// Ends it as a node does that loses its power.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.kill();
    }
}
