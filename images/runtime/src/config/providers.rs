//! Who else an agent may ask beside its own model: those whose key is there.

use super::forge::Token;

/// Each by the name that agents call it: its key, its variable for another address than its own, and its own. All speak
/// the API that OpenAI began, and so does whatever the address may be of.
const PROVIDERS: [Known; 2] = [
    Known {
        name: "openai",
        key: "FABRICA_CREDENTIAL_OPENAI_API_KEY",
        address: "OPENAI_BASE_URL",
        own: "https://api.openai.com/v1",
        prices: "OPENAI_PRICES",
    },
    Known {
        name: "gemini",
        key: "FABRICA_CREDENTIAL_GEMINI_API_KEY",
        address: "GEMINI_BASE_URL",
        own: "https://generativelanguage.googleapis.com/v1beta/openai",
        prices: "GEMINI_PRICES",
    },
];

struct Known {
    name: &'static str,
    key: &'static str,
    address: &'static str,
    own: &'static str,
    prices: &'static str,
}

/// Somebody whose models can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderConfig {
    pub name: &'static str,
    pub url: String,
    pub key: Token,
    /// What models of it cost that are in no table of ours, as JSON.
    pub prices: Option<String>,
}

/// What the variables say.
pub(super) fn read(text: &impl Fn(&str) -> Option<String>) -> Vec<ProviderConfig> {
    let provider = |known: &Known| {
        let key = text(known.key).map(|key| key.trim().to_owned()).filter(|key| !key.is_empty())?;
        let url = text(known.address).unwrap_or_else(|| known.own.to_owned());
        Some(ProviderConfig { name: known.name, url, key: Token(key), prices: text(known.prices) })
    };
    PROVIDERS.iter().filter_map(provider).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_with_a_key_are_there() {
        let read = |variables: &[(&str, &str)]| {
            let variables = variables.to_owned();
            read(&|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(read(&[("OPENAI_BASE_URL", "http://h"), ("OPENAI_API_KEY", "sk")]).is_empty());
        let all = read(&[
            ("FABRICA_CREDENTIAL_OPENAI_API_KEY", "sk-hidden\n"),
            ("FABRICA_CREDENTIAL_GEMINI_API_KEY", "hidden"),
            ("GEMINI_BASE_URL", "http://h/v1"),
            ("GEMINI_PRICES", "{}"),
        ]);
        let shown: Vec<_> = all.iter().map(|one| (one.name, one.url.as_str())).collect();
        assert_eq!(shown, [("openai", "https://api.openai.com/v1"), ("gemini", "http://h/v1")]);
        assert_eq!((&all[0].key, &all[0].prices), (&Token("sk-hidden".to_owned()), &None));
        assert_eq!(all[1].prices.as_deref(), Some("{}"));
        assert!(!format!("{all:?}").contains("hidden"));
    }
}
