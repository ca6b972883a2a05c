//! How the git of an agent reads the repository that it works on: a door on loopback, behind which the login is added, and
//! a configuration that leads there, in variables of the agent alone. Nothing can be set through it: we push.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::checkpoint::door::Door;
use crate::config::{Config, Login};

/// How many settings of git the variables hold.
const COUNT: &str = "GIT_CONFIG_COUNT";

/// Open until dropped.
#[derive(Debug)]
pub(crate) struct Reading {
    _door: Door,
    variables: Vec<(OsString, OsString)>,
}

impl Reading {
    /// Nothing where everybody may read, or no door opens: then the agent has what was cloned.
    pub(crate) async fn open(config: &Config) -> Option<Self> {
        let repository = config.repository.as_ref()?;
        let Login::Basic { .. } = repository.login else { return None };
        match Door::open_to_read(repository).await {
            Ok(door) => {
                let variables = variables(&repository.url, &door.url(), &config.shell);
                Some(Self { _door: door, variables })
            }
            Err(error) => {
                tracing::warn!(error = crate::chain(&error), "the agent's git gets no door");
                None
            }
        }
    }

    /// What the agent gets beside its other variables.
    pub(crate) fn variables(&self) -> &[(OsString, OsString)] {
        &self.variables
    }
}

/// What others say of git's configuration stays.
fn variables(
    origin: &str,
    door: &str,
    others: &BTreeMap<OsString, OsString>,
) -> Vec<(OsString, OsString)> {
    let known = others.get(OsStr::new(COUNT)).and_then(|count| count.to_str()?.parse().ok());
    let first = known.unwrap_or(0_usize);
    let settings = [
        (format!("url.{door}.insteadOf"), origin.trim_end_matches('/')),
        // No proxy of the pod stands between git and us.
        (format!("http.{door}.proxy"), ""),
    ];
    let count = (first + settings.len()).to_string();
    let mut all = vec![(COUNT.into(), count.into())];
    for ((key, value), number) in settings.into_iter().zip(first..) {
        all.push((format!("GIT_CONFIG_KEY_{number}").into(), key.into()));
        all.push((format!("GIT_CONFIG_VALUE_{number}").into(), value.into()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_of_git_stays() {
        let told = |others: &[(&str, &str)]| {
            let others = others.iter().map(|(name, value)| ((*name).into(), (*value).into()));
            let told = variables("https://git.test/x/", "http://door", &others.collect());
            let text = |text: OsString| text.into_string().unwrap();
            told.into_iter()
                .map(|(name, value)| format!("{}={}", text(name), text(value)))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            told(&[]),
            [
                "GIT_CONFIG_COUNT=2",
                "GIT_CONFIG_KEY_0=url.http://door.insteadOf",
                "GIT_CONFIG_VALUE_0=https://git.test/x",
                "GIT_CONFIG_KEY_1=http.http://door.proxy",
                "GIT_CONFIG_VALUE_1=",
            ]
        );
        let behind = told(&[("GIT_CONFIG_COUNT", "3"), ("GIT_CONFIG_KEY_0", "core.pager")]);
        assert_eq!(behind[0], "GIT_CONFIG_COUNT=5");
        assert!(behind[1].starts_with("GIT_CONFIG_KEY_3=url."), "{behind:?}");
    }
}
