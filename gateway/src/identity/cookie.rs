//! The login cookie: an identity, sealed so that only a gateway of this installation can read or make it.

use axum_extra::extract::PrivateCookieJar;
use axum_extra::extract::cookie::{Cookie, Key, SameSite};
use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::{Identity, User};

/// The cookie's name.
const NAME: &str = "fabrica_login";

/// The longest sealed value: browsers drop cookies of more than 4096 bytes with name and attributes.
const VALUE_BYTES: usize = 3800;

/// Why no cookie could be made.
#[derive(Debug, thiserror::Error)]
pub enum CookieError {
    #[error("write the identity")]
    Serialize(#[source] serde_json::Error),
    #[error("the identity has too many groups for a cookie")]
    TooLarge,
}

#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
    user: User,
    expires: i64,
}

/// The jar with a cookie of this identity, to be sent with the answer.
pub fn seal(
    identity: &Identity,
    key: Key,
    secure: bool,
    now: DateTime<Utc>,
) -> Result<PrivateCookieJar, CookieError> {
    let sealed = Sealed { user: identity.user.clone(), expires: identity.expires.timestamp() };
    let value = serde_json::to_string(&sealed).map_err(CookieError::Serialize)?;
    // Sealing adds a nonce and a tag, base64 a third, and percent-encoding nothing.
    if (value.len() + 28).div_ceil(3) * 4 > VALUE_BYTES {
        return Err(CookieError::TooLarge);
    }
    let seconds = identity.expires.timestamp() - now.timestamp();
    Ok(PrivateCookieJar::new(key).add(with_attributes(value, seconds, secure)))
}

/// The identity in a request's cookie. One that is expired, forged or sealed with another key is none.
pub fn open(headers: &HeaderMap, key: Key, now: DateTime<Utc>) -> Option<Identity> {
    let cookie = PrivateCookieJar::from_headers(headers, key).get(NAME)?;
    let sealed: Sealed = serde_json::from_str(cookie.value()).ok()?;
    let expires = DateTime::from_timestamp(sealed.expires, 0)?;
    (now < expires).then(|| Identity::new(sealed.user, expires))
}

/// Whether a request carries a login cookie at all.
pub fn is_present(headers: &HeaderMap) -> bool {
    axum_extra::extract::CookieJar::from_headers(headers).get(NAME).is_some()
}

/// A cookie that makes the browser forget the login.
pub fn forget(secure: bool) -> Cookie<'static> {
    with_attributes(String::new(), 0, secure)
}

fn with_attributes(value: String, max_age_seconds: i64, secure: bool) -> Cookie<'static> {
    let age = format!("{NAME}=; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_seconds}");
    let mut cookie = Cookie::parse(age).unwrap_or_else(|_| Cookie::new(NAME, ""));
    cookie.set_value(value);
    cookie.set_http_only(true);
    cookie.set_same_site(SameSite::Strict);
    cookie.set_secure(secure);
    cookie
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use chrono::TimeDelta;
    use http::header;
    use proptest::prelude::*;

    use super::*;

    fn identity(groups: usize, expires: DateTime<Utc>) -> Identity {
        let groups = (0..groups).map(|number| format!("group-{number}")).collect();
        Identity::new(
            User { name: "dana".into(), uid: "1".into(), groups, extra: [].into() },
            expires,
        )
    }

    fn sent_back(jar: PrivateCookieJar) -> (HeaderMap, String) {
        let response = jar.into_response();
        let set = response.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, set.split(';').next().unwrap().parse().unwrap());
        (headers, set)
    }

    #[test]
    fn opens_what_it_sealed_until_it_expires() {
        let now = DateTime::from_timestamp(1_000_000, 0).unwrap();
        let key = Key::generate();
        let jar = seal(&identity(3, now + TimeDelta::hours(12)), key.clone(), true, now).unwrap();
        let (headers, set) = sent_back(jar);
        for attribute in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/", "Max-Age=43200"] {
            assert!(set.contains(attribute), "{set} lacks {attribute}");
        }
        assert!(!set.contains("dana"));
        assert_eq!(open(&headers, key.clone(), now).unwrap().name(), "dana");
        assert!(open(&headers, key, now + TimeDelta::hours(12)).is_none());
        assert!(open(&headers, Key::generate(), now).is_none());
    }

    #[test]
    fn refuses_what_no_browser_would_keep() {
        let now = DateTime::from_timestamp(1_000_000, 0).unwrap();
        let result = seal(&identity(1000, now + TimeDelta::hours(1)), Key::generate(), true, now);
        assert!(matches!(result, Err(CookieError::TooLarge)));
    }

    #[test]
    fn the_largest_accepted_cookie_fits() {
        let now = DateTime::from_timestamp(1_000_000, 0).unwrap();
        let largest = (1..1000)
            .map_while(|groups| {
                seal(&identity(groups, now + TimeDelta::hours(1)), Key::generate(), true, now).ok()
            })
            .last()
            .unwrap();
        let (_, set) = sent_back(largest);
        assert!(set.len() <= 4096, "{}", set.len());
    }

    proptest! {
        #[test]
        fn forged_values_are_no_identity(value in "[A-Za-z0-9+/=]{0,200}") {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, format!("{NAME}={value}").parse().unwrap());
            prop_assert!(open(&headers, Key::generate(), Utc::now()).is_none());
        }
    }
}
