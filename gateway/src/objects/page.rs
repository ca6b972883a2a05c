//! Pages of a list: where the last one ended, as an opaque token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::names::ObjectKey;
use crate::problem::Problem;

/// The longest token that can be ours: two names and a slash, in base64.
const TOKEN_BYTES: usize = 256;

/// The token for the page after this key.
pub fn token_after(key: &ObjectKey) -> String {
    URL_SAFE_NO_PAD.encode(key.to_string())
}

/// The key that a token's page begins after.
pub fn read_token(token: &str) -> Result<ObjectKey, Problem> {
    let unknown =
        || Problem::bad_request("continue is not a token of this API; list again from the start.");
    if token.len() > TOKEN_BYTES {
        return Err(unknown());
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| unknown())?;
    let text = String::from_utf8(bytes).map_err(|_| unknown())?;
    let (namespace, name) = text.split_once('/').ok_or_else(unknown)?;
    ObjectKey::checked(namespace, name).ok_or_else(unknown)
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
        fn other_texts_are_refused(token in "\\PC{0,300}") {
            if let Ok(key) = read_token(&token) {
                prop_assert_eq!(token_after(&key), token);
            }
        }
    }
}
