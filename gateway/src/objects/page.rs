//! Pages of a list: where the last one ended, as an opaque token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::names::ObjectKey;
use crate::problem::Problem;

/// The longest token that can be ours: two names and a slash, in base64.
const TOKEN_BYTES: usize = 256;

/// What a token of the archive begins with: no namespace does.
const ARCHIVE: char = '~';

/// A place in the archive, where the newest stand first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub created_at: DateTime<Utc>,
    pub uid: Uuid,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// After this key among the living; none: at the first.
    Living(Option<ObjectKey>),
    /// Behind this one in the archive; none: at the newest.
    Archive(Option<Position>),
}

/// The token for a page that begins in the archive.
pub fn token_in_archive(behind: Option<Position>) -> String {
    let place = behind.map_or_else(String::new, |Position { created_at, uid }| {
        format!("{}/{uid}", created_at.timestamp_micros())
    });
    URL_SAFE_NO_PAD.encode(format!("{ARCHIVE}{place}"))
}

/// Where a token's page begins.
pub fn read_start(token: &str) -> Result<Start, Problem> {
    let Some(place) = decode(token).and_then(|text| text.strip_prefix(ARCHIVE).map(str::to_owned))
    else {
        return read_token(token).map(|key| Start::Living(Some(key)));
    };
    if place.is_empty() {
        return Ok(Start::Archive(None));
    }
    let position = place.split_once('/').and_then(|(micros, uid)| {
        let created_at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
        Some(Position { created_at, uid: Uuid::parse_str(uid).ok()? })
    });
    position.map(|position| Start::Archive(Some(position))).ok_or_else(unknown)
}

/// The token for the page after this key.
pub fn token_after(key: &ObjectKey) -> String {
    URL_SAFE_NO_PAD.encode(key.to_string())
}

/// The key that a token's page begins after.
pub fn read_token(token: &str) -> Result<ObjectKey, Problem> {
    let text = decode(token).ok_or_else(unknown)?;
    let (namespace, name) = text.split_once('/').ok_or_else(unknown)?;
    ObjectKey::checked(namespace, name).map_err(|_| unknown())
}

fn decode(token: &str) -> Option<String> {
    if token.len() > TOKEN_BYTES {
        return None;
    }
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

fn unknown() -> Problem {
    Problem::bad_part("continue", "is not a token of this API; list again from the start")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_token_leads_back_to_its_key(namespace in "[a-z][a-z0-9-]{0,61}[a-z0-9]", name in "[a-z][a-z0-9-]{0,50}[a-z0-9]") {
            let key = ObjectKey { namespace, name };
            let token = token_after(&key);
            prop_assert!(token.len() <= TOKEN_BYTES);
            prop_assert_eq!(read_token(&token).unwrap(), key);
        }

        #[test]
        fn a_place_in_the_archive_is_found_again(micros in 0_i64..4_000_000_000_000_000, uid in any::<u128>(), some in any::<bool>()) {
            let created_at = DateTime::from_timestamp_micros(micros).unwrap();
            let behind = some.then_some(Position { created_at, uid: Uuid::from_u128(uid) });
            let token = token_in_archive(behind);
            prop_assert_eq!(read_start(&token).unwrap(), Start::Archive(behind));
            prop_assert!(read_token(&token).is_err());
        }

        #[test]
        fn other_texts_are_refused(token in "\\PC{0,300}") {
            if let Ok(key) = read_token(&token) {
                prop_assert_eq!(token_after(&key), token);
            }
        }
    }
}
