//! Origins: which page a browser's request comes from, and whether that is ours.

use std::fmt;

use http::{HeaderMap, Uri, header};

/// Why a text is not an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    #[error("not a scheme and a host")]
    Malformed,
    #[error("the scheme is neither http nor https")]
    Scheme,
}

/// A scheme, a host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: &'static str,
    host: String,
    port: u16,
}

impl Origin {
    /// Reads `scheme://host[:port]`, and nothing after it.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let (scheme, rest) = text.split_once("://").ok_or(OriginError::Malformed)?;
        let (scheme, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => ("http", 80),
            "https" => ("https", 443),
            _ => return Err(OriginError::Scheme),
        };
        let (host, port) = split_authority(rest).ok_or(OriginError::Malformed)?;
        Ok(Self { scheme, host, port: port.unwrap_or(default_port) })
    }

    fn names_host(&self, host_header: &str) -> bool {
        let Some((host, port)) = split_authority(host_header) else { return false };
        let default_port = if self.scheme == "https" { 443 } else { 80 };
        host == self.host && port.unwrap_or(default_port) == self.port
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        match (*scheme, port) {
            ("http", 80) | ("https", 443) => write!(formatter, "{scheme}://{host}"),
            _ => write!(formatter, "{scheme}://{host}:{port}"),
        }
    }
}

/// What a request says of its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginCheck {
    Matches,
    Missing,
    Foreign,
}

/// Compares a request's Origin with the public one, else with its own Host.
pub fn check(headers: &HeaderMap, uri: &Uri, public: Option<&Origin>) -> OriginCheck {
    let mut values = headers.get_all(header::ORIGIN).iter();
    let Some(value) = values.next() else { return OriginCheck::Missing };
    if values.next().is_some() {
        return OriginCheck::Foreign;
    }
    let Some(origin) = value.to_str().ok().and_then(|text| Origin::parse(text).ok()) else {
        return OriginCheck::Foreign;
    };
    let ours = match public {
        Some(public) => origin == *public,
        None => host(headers, uri).is_some_and(|host| origin.names_host(host)),
    };
    if ours { OriginCheck::Matches } else { OriginCheck::Foreign }
}

/// The address that the caller reaches us by: the public one, else that of the request. Empty: it does not say.
pub fn address(headers: &HeaderMap, uri: &Uri, public: Option<&Origin>) -> String {
    if let Some(public) = public {
        return public.to_string();
    }
    // Only the caller itself is told: what a header claims here misleads nobody else.
    let forwarded = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    let scheme = if forwarded == Some("https") { "https" } else { "http" };
    let host = host(headers, uri).filter(|host| split_authority(host).is_some());
    host.map(|host| format!("{scheme}://{host}")).unwrap_or_default()
}

/// Whether the request came to a loopback host, where browsers keep cookies without TLS.
pub fn is_loopback(headers: &HeaderMap, uri: &Uri) -> bool {
    let Some((host, _)) = host(headers, uri).and_then(split_authority) else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let header = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    header.or_else(|| uri.authority().map(http::uri::Authority::as_str))
}

/// Splits `host[:port]`; IPv6 addresses stay in their brackets.
fn split_authority(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.rfind(':') {
        Some(colon) if !text.ends_with(']') => (&text[..colon], Some(&text[colon + 1..])),
        _ => (text, None),
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let allowed = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_')
            || (bracketed && b"[]:".contains(&byte))
    };
    if host.is_empty() || !host.bytes().all(allowed) {
        return None;
    }
    let port = match port {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().ok()?)
        }
        Some(_) => return None,
        None => None,
    };
    Some((host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn checked(origin: Option<&str>, host: &str, public: Option<&str>) -> OriginCheck {
        let mut headers = HeaderMap::new();
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        let public = public.map(|text| Origin::parse(text).unwrap());
        check(&headers, &Uri::from_static("/"), public.as_ref())
    }

    #[rstest]
    #[case(Some("http://localhost:8080"), "localhost:8080", None, OriginCheck::Matches)]
    #[case(Some("https://f.example"), "f.example", None, OriginCheck::Matches)]
    #[case(Some("https://f.example"), "f.example:443", None, OriginCheck::Matches)]
    #[case(Some("https://F.EXAMPLE"), "f.example", None, OriginCheck::Matches)]
    #[case(Some("http://[::1]:80"), "[::1]", None, OriginCheck::Matches)]
    #[case(Some("https://f.example:444"), "f.example", None, OriginCheck::Foreign)]
    #[case(Some("https://f.example.evil"), "f.example", None, OriginCheck::Foreign)]
    #[case(Some("https://evil@f.example"), "f.example", None, OriginCheck::Foreign)]
    #[case(Some("https://f.example/path"), "f.example", None, OriginCheck::Foreign)]
    #[case(Some("file://f.example"), "f.example", None, OriginCheck::Foreign)]
    #[case(Some("null"), "null", None, OriginCheck::Foreign)]
    #[case(None, "f.example", None, OriginCheck::Missing)]
    #[case(
        Some("https://f.example"),
        "inner:8080",
        Some("https://f.example"),
        OriginCheck::Matches
    )]
    #[case(Some("http://f.example"), "inner:8080", Some("https://f.example"), OriginCheck::Foreign)]
    #[case(
        Some("http://inner:8080"),
        "inner:8080",
        Some("https://f.example"),
        OriginCheck::Foreign
    )]
    fn compares(
        #[case] origin: Option<&str>,
        #[case] host: &str,
        #[case] public: Option<&str>,
        #[case] expected: OriginCheck,
    ) {
        assert_eq!(checked(origin, host, public), expected);
    }

    #[rstest]
    #[case("localhost:8080", true)]
    #[case("127.0.0.1", true)]
    #[case("[::1]:8080", true)]
    #[case("10.0.0.1:8080", false)]
    #[case("localhost.evil.example", false)]
    fn knows_loopback(#[case] host: &str, #[case] expected: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        assert_eq!(is_loopback(&headers, &Uri::from_static("/")), expected);
    }

    proptest! {
        #[test]
        fn an_origin_matches_its_own_host_only(host in "[a-z]{1,8}(\\.[a-z]{1,8}){0,2}", other in "[a-z]{1,8}", port in 1_u16..) {
            let origin = format!("https://{host}:{port}");
            let own = format!("{host}:{port}");
            prop_assert_eq!(checked(Some(&origin), &own, None), OriginCheck::Matches);
            let foreign = format!("{other}.{host}:{port}");
            prop_assert_eq!(checked(Some(&origin), &foreign, None), OriginCheck::Foreign);
        }

        #[test]
        fn no_text_makes_it_panic(origin in "[ -~]{0,40}", host in "[ -~]{0,40}") {
            checked(Some(&origin), &host, None);
        }
    }
}
