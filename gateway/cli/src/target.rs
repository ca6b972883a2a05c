//! How objects are named on the command line.

use std::convert::Infallible;
use std::str::FromStr;

/// One object: `NAME` or `session/NAME`, or `run/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Session(String),
    Run(String),
}

impl FromStr for Target {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.split_once('/') {
            Some(("run" | "runs" | "frun", name)) => Self::Run(name.to_owned()),
            Some(("session" | "sessions" | "fsess", name)) => Self::Session(name.to_owned()),
            _ => Self::Session(text.to_owned()),
        })
    }
}
