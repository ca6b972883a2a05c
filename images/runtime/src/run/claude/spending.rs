//! What the agent may spend, and what it has spent.

use fabrica_protocol::run::{Tokens, Usage};

use crate::broker::consult::Provider;
use crate::broker::ledger::{Ledger, Limits, Spent};
use crate::broker::{Broker, BrokerError, Key, Settings};
use crate::config::{AgentConfig, ProviderConfig};
use crate::run::driver::Failure;

/// The key of the model's service.
pub(crate) fn key(settings: &AgentConfig) -> Result<&str, Failure> {
    settings.key.as_deref().ok_or_else(|| {
        let message =
            "There is no key of the model's service: the Secret of spec.credentialsRef needs the key ANTHROPIC_API_KEY.";
        Failure::lasting("CredentialsMissing", message)
    })
}

/// The broker, with what may be used up, and what was before.
pub(crate) async fn open(settings: &AgentConfig, before: Spent) -> Result<Broker, Failure> {
    let key = key(settings)?;
    let wrong = |what: &str, error: &dyn std::error::Error| {
        Failure::lasting("AgentMisconfigured", format!("{what}: {}.", crate::chain(error)))
    };
    let budget = settings.budget.as_deref().map(str::parse).transpose();
    let turns = settings.turns.as_deref().map(str::parse).transpose();
    let limits = Limits {
        budget: budget.map_err(|error| wrong("The budget cannot be used", &error))?,
        turns: turns
            .map_err(|error: std::num::ParseIntError| wrong("The turns are no number", &error))?,
    };
    let open = async {
        let providers = settings.providers.iter().map(provider).collect::<Result<_, _>>()?;
        let prices = settings.providers.iter();
        let prices = prices.filter_map(|one| Some((one.name, one.prices.clone()?))).collect();
        let (url, key) = (settings.url.clone(), Key::new(key)?);
        Broker::start(Settings { url, key, limits, before, providers, prices }).await
    };
    open.await.map_err(|error| wrong("The model's service cannot be asked", &error))
}

fn provider(config: &ProviderConfig) -> Result<Provider, BrokerError> {
    let key = Key::bearer(&config.key.0)?;
    Ok(Provider { name: config.name, url: config.url.clone(), key })
}

/// As records tell it.
pub(crate) fn usage(ledger: &Ledger) -> Usage {
    let tokens = ledger.lines().iter().map(|(model, line)| {
        let used = &line.usage;
        let tokens = Tokens {
            input: used.input,
            output: used.output,
            cache_read: used.cache_read,
            cache_write: used.cache_write.saturating_add(used.cache_write_hour),
        };
        (model.clone(), tokens)
    });
    Usage {
        models: tokens.collect(),
        estimated_cost_usd: ledger.spent().to_string(),
        turns: ledger.turns(),
    }
}
