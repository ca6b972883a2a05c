//! Stands between the agent and the model's service, on loopback. The agent holds a key that opens nothing but this
//! door; behind it the real key is put in, answers are counted and priced as they pass, and who has used up what it may
//! is refused. Other models that the agent wants to hear are asked here too, and count alike.

mod answer;
pub mod consult;
mod door;
pub mod ledger;
pub mod money;
pub mod prices;
pub mod usage;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::error::Unspecified;
use axum::serve::ListenerExt;
use reqwest::Url;
use reqwest::header::HeaderValue;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use self::consult::{Consult, ConsultError, Consulted, Provider};
use self::ledger::{Ledger, Limits, Refusal, Spent};
use self::prices::Prices;
use crate::secrets::Secrets;

/// Questions on their way at once, further ones wait: an agent has a handful of subagents. As a price is known only
/// afterwards, at most these may go beyond the budget.
const CONCURRENT: usize = 16;
/// A service that does not take the call by then is not there.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The longest silence within an answer: the CLI itself waits no longer.
const SILENCE_LIMIT: Duration = Duration::from_mins(10);
/// The dummy key has the strength of a real one.
const KEY_BYTES: usize = 32;

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    #[error("the model's address is not one of http or https: {0}")]
    Address(String),
    #[error("the key of the model's service holds characters that no header may")]
    Key,
    #[error("there is no randomness for a key")]
    Random(#[from] Unspecified),
    #[error("the client of the model's service cannot be made")]
    Client(#[from] reqwest::Error),
    #[error(transparent)]
    Prices(#[from] prices::PricesError),
    #[error("the broker cannot listen")]
    Listen(#[from] std::io::Error),
}

/// The key of the model's service; it shows itself to nobody.
#[derive(Clone)]
pub struct Key(HeaderValue);

impl Key {
    pub fn new(text: &str) -> Result<Self, BrokerError> {
        let mut value = HeaderValue::from_str(text.trim()).map_err(|_| BrokerError::Key)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// One that is shown as a bearer's.
    pub fn bearer(text: &str) -> Result<Self, BrokerError> {
        Self::new(&format!("Bearer {}", text.trim()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key")
    }
}

/// Which service is asked, with which key, how often and how dear.
#[derive(Debug, Clone)]
pub struct Settings {
    pub url: String,
    pub key: Key,
    pub limits: Limits,
    /// What was used up before.
    pub before: Spent,
    /// Who else is asked.
    pub providers: Vec<Provider>,
    /// What is known of prices beside our own table: see [`Prices::with`].
    pub prices: Vec<(&'static str, String)>,
}

/// The broker at work, until dropped.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

/// What all questions share.
struct Shared {
    /// Without a slash at its end.
    url: String,
    key: Key,
    dummy: String,
    limits: Limits,
    providers: Vec<Provider>,
    prices: Prices,
    client: reqwest::Client,
    places: Arc<Semaphore>,
    ledger: Mutex<Ledger>,
}

impl Broker {
    /// Opens the door on a free port of loopback.
    pub async fn start(settings: Settings) -> Result<Self, BrokerError> {
        let mut prices = Prices::list()?;
        for (seller, given) in &settings.prices {
            prices = prices.with(seller, given)?;
        }
        let mut providers = settings.providers;
        for provider in &mut providers {
            provider.url = address(&provider.url)?;
        }
        let shared = Arc::new(Shared {
            url: address(&settings.url)?,
            key: settings.key,
            dummy: dummy_key()?,
            limits: settings.limits,
            providers,
            prices,
            client: client()?,
            places: Arc::new(Semaphore::new(CONCURRENT)),
            ledger: Mutex::new(Ledger::after(settings.before)),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        // Words come one by one: waiting to fill a packet would cost each of them.
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let router = door::router(shared.clone());
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the broker's door closed");
            }
        });
        Ok(Self { address, shared, serving })
    }

    /// Where the agent asks.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the agent has for a key.
    pub fn dummy_key(&self) -> &str {
        &self.shared.dummy
    }

    /// A turn has ended: a model without a price that was asked in it does not concern the next one.
    pub fn forgive(&self) {
        self.shared.ledger().forgive();
    }

    /// Why the agent was refused, if it was.
    pub fn refusal(&self) -> Option<Refusal> {
        self.ledger().refusal().cloned()
    }

    /// Asks another model, for the agent. What it costs counts as everything else does.
    pub async fn consult(&self, asked: Consult) -> Result<Consulted, ConsultError> {
        consult::ask(&self.shared, asked).await
    }

    /// Everything that was ever used up is at least so much.
    pub fn raise(&self, all: Spent) {
        self.ledger().raise(all);
    }

    /// What was used up so far.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.shared.ledger()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").field("url", &self.url).finish_non_exhaustive()
    }
}

fn address(text: &str) -> Result<String, BrokerError> {
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    // What is wrong with it may be a password in it.
    let url = url.ok_or_else(|| BrokerError::Address(Secrets::default().redact(text)))?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn dummy_key() -> Result<String, BrokerError> {
    use base64::Engine;
    let mut bytes = [0; KEY_BYTES];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

fn client() -> Result<reqwest::Client, BrokerError> {
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|root| reqwest::Certificate::from_der(root))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(reqwest::Client::builder()
        // The image's own roots count too: a company's gateway may have one of them.
        .tls_certs_merge(roots)
        // A redirection would carry the key elsewhere.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_LIMIT)
        .read_timeout(SILENCE_LIMIT)
        .build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_a_key() {
        let key = Key::new(" sk-real\n").unwrap();
        let settings = Settings {
            url: "https://h".to_owned(),
            key,
            limits: Limits::default(),
            before: Spent::default(),
            providers: Vec::new(),
            prices: Vec::new(),
        };
        assert!(!format!("{settings:?}").contains("sk-real"));
        assert!(matches!(Key::new("a\nb"), Err(BrokerError::Key)));
    }

    #[test]
    fn addresses_are_of_the_web() {
        assert_eq!(address("https://h/prefix/").unwrap(), "https://h/prefix");
        for text in ["", "h", "ftp://h", "https://u:hidden@h", "https://h?a=b", "file:///etc"] {
            let error = address(text).unwrap_err().to_string();
            assert!(!error.contains("hidden"), "{error}");
        }
    }
}
