//! One connection to a Session's first terminal, directly or through the gateway, with a clock.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use chrono::Utc;
use fabrica_crds::Session;
use fabrica_e2e::cluster::{Cluster, SYSTEM_NAMESPACE};
use fabrica_e2e::session::uid;
use fabrica_e2e::terminal::{Socket, next_frame, open};
use fabrica_e2e::{Gateway, Namespace};
use fabrica_protocol::assertion::{Claims, Role, Signer};
use fabrica_protocol::kterm::{ClientFrame, Hello, HelloTerminal, SUBPROTOCOL, ServerFrame};
use fabrica_protocol::trust::{KEYS, KeyDocument};
use futures::SinkExt;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use tokio_tungstenite::tungstenite::Message;

/// The terminal that every Session has from its start.
const TERMINAL: u16 = 1;

/// The port of the runtime.
const PORT: u16 = 3000;

/// A way to a Session's terminals.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// As a user comes.
    Gateway { gateway: Gateway, path: String },
    /// To the pod itself, with an assertion as the gateway would sign it: the floor.
    Direct { url: String, signer: Signer, session: String },
}

impl Way {
    /// Through this gateway.
    pub(crate) fn through(gateway: &Gateway, namespace: &Namespace, session: &str) -> Self {
        let path = format!("/api/v1/namespaces/{}/sessions/{session}/terminal", namespace.name);
        Self::Gateway { gateway: gateway.clone(), path }
    }

    /// Straight to the pod. Only a cluster's administrator may read the key for it.
    pub(crate) async fn direct(namespace: &Namespace, session: &Session) -> Result<Self> {
        let pod = namespace.api::<Pod>().get(&format!("{}-session", session.name_any())).await?;
        let address = pod.status.and_then(|status| status.pod_ip).context("the pod's address")?;
        Ok(Self::Direct {
            url: format!("http://{address}:{PORT}"),
            signer: signer(&namespace.cluster).await?,
            session: uid(session),
        })
    }

    /// Where to open a socket, with credentials that were not used before.
    fn target(&self) -> Result<(Gateway, String)> {
        match self {
            Self::Gateway { gateway, path } => Ok((gateway.clone(), path.clone())),
            Self::Direct { url, signer, session } => {
                let id = uuid::Uuid::new_v4().to_string();
                let claims = Claims::new(
                    "fabrica-gateway",
                    session,
                    "bench",
                    Role::Control,
                    &id,
                    Utc::now(),
                );
                let assertion = signer.sign(&claims)?;
                Ok((Gateway::at(url, Some(&assertion)), "/v1/terminal".to_owned()))
            }
        }
    }
}

async fn signer(cluster: &Cluster) -> Result<Signer> {
    let secret = cluster.api::<Secret>(SYSTEM_NAMESPACE).get("fabrica-trust").await?;
    let keys = secret.data.unwrap_or_default().remove(KEYS).context("the Secret has no keys")?;
    Ok(serde_json::from_slice::<KeyDocument>(&keys.0)?.signer(Utc::now())?)
}

/// Where a client's output ends, to come back to.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    epoch: String,
    offset: u64,
}

/// A connection that has shown its first byte.
#[derive(Debug)]
pub(crate) struct Link {
    socket: Socket,
    epoch: String,
    have: u64,
    typed: u64,
    /// What was shown.
    pub(crate) shown: Vec<u8>,
    /// From the begin of the connection to the first byte of output.
    pub(crate) first_byte: Duration,
}

impl Link {
    /// Connects, and comes back to a place if there is one.
    pub(crate) async fn open(way: &Way, place: Option<&Place>) -> Result<Self> {
        let (gateway, path) = way.target()?;
        let hello = Hello {
            client_id: uuid::Uuid::new_v4().to_string(),
            epoch: place.map(|place| place.epoch.clone()),
            visible: true,
            terms: vec![HelloTerminal {
                id: TERMINAL,
                have_off: place.map(|place| place.offset),
                cols: 100,
                rows: 30,
            }],
            ..Hello::default()
        };
        let started = Instant::now();
        let mut socket = open(&gateway, &path, Some(SUBPROTOCOL)).await?;
        socket.send(Message::Binary(ClientFrame::Hello(hello).encode())).await?;
        let ServerFrame::Welcome(welcome) = next_frame(&mut socket).await? else {
            bail!("no WELCOME")
        };
        let mut link = Self {
            socket,
            epoch: welcome.epoch,
            have: 0,
            typed: 0,
            shown: Vec::new(),
            first_byte: Duration::ZERO,
        };
        while link.shown.is_empty() {
            link.read().await?;
        }
        link.first_byte = started.elapsed();
        Ok(link)
    }

    /// One byte before the end of what was shown: coming back there shows one byte.
    pub(crate) fn last_byte(&self) -> Place {
        Place { epoch: self.epoch.clone(), offset: self.have.saturating_sub(1) }
    }

    /// Takes one frame.
    pub(crate) async fn read(&mut self) -> Result<()> {
        match next_frame(&mut self.socket).await? {
            ServerFrame::Output { offset, bytes, .. } => {
                self.have = offset + bytes.len() as u64;
                self.shown.extend_from_slice(&bytes);
            }
            ServerFrame::Snapshot { offset, bytes, .. } => {
                self.have = offset;
                self.shown.extend_from_slice(&bytes);
            }
            ServerFrame::Error { text, .. } => bail!("the runtime says: {text}"),
            _ => {}
        }
        Ok(())
    }

    /// Types one byte and waits until it is shown.
    pub(crate) async fn echo(&mut self) -> Result<Duration> {
        let (before, offset) = (self.have, self.typed);
        self.typed += 1;
        let bytes = Bytes::from_static(b"x");
        let frame = ClientFrame::Input { terminal: TERMINAL, auto: false, offset, bytes };
        let started = Instant::now();
        self.socket.send(Message::Binary(frame.encode())).await?;
        while self.have <= before {
            self.read().await?;
        }
        Ok(started.elapsed())
    }
}
