//! Sends spans to a collector over OTLP, beside everything else: whoever makes one never waits.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::mpsc;

use crate::span::Span;

/// Spans that wait for a collector. What is beyond is lost: telemetry never holds work up, nor fills memory.
const WAITING: usize = 2048;
/// Spans of one message.
const BATCH: usize = 512;
/// How long the first span of a batch waits for others.
const PERIOD: Duration = Duration::from_secs(1);
/// A collector that has not taken a batch by then gets the next one.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Where collectors take spans over HTTP.
const PATH: &str = "/v1/traces";

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum ExporterError {
    #[error("make the HTTP client")]
    Client(#[from] reqwest::Error),
    #[error("make the exporter for {service}")]
    Build { service: &'static str, source: ExporterBuildError },
}

/// Takes spans; clones send to the same collector.
#[derive(Clone)]
pub struct Exporter {
    sender: mpsc::Sender<Span>,
    /// Whether spans are being lost.
    full: Arc<AtomicBool>,
}

impl fmt::Debug for Exporter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Exporter")
    }
}

impl Exporter {
    /// Sends to the collector at this address, such as `http://collector.monitoring:4318`, what these services do. Must be
    /// called within a tokio runtime.
    pub fn start(endpoint: &str, services: &[&'static str]) -> Result<Self, ExporterError> {
        let client = client()?;
        let address = format!("{}{PATH}", endpoint.trim_end_matches('/').trim_end_matches(PATH));
        let mut exporters = BTreeMap::new();
        for service in services {
            let built = SpanExporter::builder()
                .with_http()
                .with_http_client(client.clone())
                .with_endpoint(&address)
                .with_timeout(TIMEOUT)
                .build();
            let mut exporter = built.map_err(|source| ExporterError::Build { service, source })?;
            let resource = Resource::builder_empty().with_service_name(*service).build();
            exporter.set_resource(&resource);
            exporters.insert(*service, exporter);
        }
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(send(exporters, receiver));
        Ok(Self { sender, full: Arc::default() })
    }

    /// Hands a span over.
    pub fn export(&self, span: Span) {
        let lost = self.sender.try_send(span).is_err();
        if lost && !self.full.swap(true, Ordering::Relaxed) {
            tracing::warn!(waiting = WAITING, "the collector is too slow: spans are lost");
        } else if !lost {
            self.full.store(false, Ordering::Relaxed);
        }
    }
}

/// The image need not hold any roots of TLS.
fn client() -> Result<reqwest::Client, reqwest::Error> {
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|root| reqwest::Certificate::from_der(root))
        .collect::<Result<Vec<_>, _>>()?;
    reqwest::Client::builder().timeout(TIMEOUT).no_proxy().tls_certs_only(roots).build()
}

async fn send(exporters: BTreeMap<&'static str, SpanExporter>, mut receiver: mpsc::Receiver<Span>) {
    let mut fails = false;
    while let Some(first) = receiver.recv().await {
        tokio::time::sleep(PERIOD).await;
        let mut batches = BTreeMap::<_, Vec<SpanData>>::new();
        let rest = std::iter::from_fn(|| receiver.try_recv().ok());
        for span in std::iter::once(first).chain(rest).take(BATCH) {
            batches.entry(span.service).or_default().push(span.data());
        }
        for (service, batch) in batches {
            let Some(exporter) = exporters.get(service) else { continue };
            let sent = exporter.export(batch).await;
            if let Err(error) = &sent
                && !fails
            {
                tracing::warn!(%error, "the collector does not take spans; they are lost");
            }
            fails = sent.is_err();
        }
    }
}
