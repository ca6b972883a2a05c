//! Where to, and as whom: what was said, and for the rest the kubeconfig.

use clap::Args;

use crate::cluster::{Cluster, ClusterError};
use crate::gateway::Gateway;

/// Where to, and as whom.
#[derive(Debug, Args)]
pub struct Place {
    /// The gateway's address. Unset: the chart's Ingress or Service.
    #[arg(long, env = "FABRICA_URL", global = true, value_parser = address)]
    url: Option<String>,
    /// The token to log in with. Unset: the kubeconfig's.
    #[arg(long, env = "FABRICA_TOKEN", global = true, hide_env_values = true)]
    token: Option<String>,
    /// The namespace. Unset: the context's.
    #[arg(long, short, global = true)]
    namespace: Option<String>,
    /// The kubeconfig's context. Unset: the current one.
    #[arg(long, global = true)]
    context: Option<String>,
}

/// A namespace behind a gateway.
#[derive(Debug)]
pub struct Door {
    pub gateway: Gateway,
    pub namespace: String,
    /// Where another token comes from when this one has expired: the kubeconfig, unless one was given.
    login: Option<Login>,
}

/// The kubeconfig's way to log in, with the context's name.
#[derive(Debug)]
struct Login {
    context: Option<String>,
}

/// A gateway's address as it is.
fn address(text: &str) -> Result<String, String> {
    let is_whole = ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
    if is_whole { Ok(text.to_owned()) } else { Err("begin it with http:// or https://".to_owned()) }
}

impl Place {
    /// Asks the kubeconfig for what was not said.
    pub async fn open(self) -> Result<Door, ClusterError> {
        let Self { url, token, namespace, context } = self;
        if let (Some(url), Some(token), Some(namespace)) = (&url, &token, &namespace) {
            let gateway = Gateway::new(url, token.clone());
            return Ok(Door { gateway, namespace: namespace.clone(), login: None });
        }
        let cluster = Cluster::read(context.clone()).await?;
        let url = match url {
            Some(url) => url,
            None => cluster.gateway().await?,
        };
        let (token, login) = match token {
            Some(token) => (token, None),
            None => (cluster.token().await?, Some(Login { context })),
        };
        let namespace = namespace.unwrap_or_else(|| cluster.namespace().to_owned());
        Ok(Door { gateway: Gateway::new(&url, token), namespace, login })
    }
}

impl Door {
    /// Gets another token, where there is a way to get one.
    pub async fn renew(&mut self) -> Result<(), ClusterError> {
        if let Some(Login { context }) = &self.login {
            let token = Cluster::read(context.clone()).await?.token().await?;
            self.gateway = self.gateway.with_token(token);
        }
        Ok(())
    }
}
