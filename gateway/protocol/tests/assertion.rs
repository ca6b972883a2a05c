//! Assertions: believed by the pod they are for, while they last, and by nobody else.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{DateTime, Duration, TimeZone, Utc};
use fabrica_protocol::assertion::{AssertionError, Claims, PublicKeys, Role, Signer};
use rstest::rstest;

/// An Ed25519 key made for these tests; it guards nothing.
const PKCS8: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
    0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
/// The public half (RFC 8032, test 1), base64url.
const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 1, 12, 0, 0).unwrap()
}

fn keys() -> PublicKeys {
    PublicKeys::parse(&format!(r#"{{"keys":[{{"kid":"one","x":"{PUBLIC}"}}]}}"#)).unwrap()
}

fn claims() -> Claims {
    Claims::new("fabrica-gateway", "uid-1", "ada", Role::Control, "connection-1", now())
}

fn token(claims: &Claims) -> String {
    Signer::new("one", PKCS8).sign(claims).unwrap()
}

#[test]
fn what_was_signed_is_read() {
    assert_eq!(keys().verify(&token(&claims()), "uid-1", now()).unwrap(), claims());
}

#[test]
fn who_may_answer_is_signed_too_and_nobody_may_by_default() {
    let answers = Claims { answers: true, ..claims() };
    assert_eq!(keys().verify(&token(&answers), "uid-1", now()).unwrap(), answers);
    assert!(!claims().answers);
}

#[rstest]
#[case::foreign_pod("uid-2", 0)]
#[case::expired("uid-1", 71)]
#[case::from_the_future("uid-1", -11)]
fn refused(#[case] audience: &str, #[case] later: i64) {
    let when = now() + Duration::seconds(later);
    assert!(keys().verify(&token(&claims()), audience, when).is_err());
}

#[test]
fn a_long_life_an_unknown_key_a_foreign_issuer_and_a_changed_byte_are_refused() {
    let long = Claims { exp: now().timestamp() + 3600, ..claims() };
    assert!(matches!(keys().verify(&token(&long), "uid-1", now()), Err(AssertionError::TooLong)));
    let unknown = Signer::new("two", PKCS8).sign(&claims()).unwrap();
    assert!(matches!(keys().verify(&unknown, "uid-1", now()), Err(AssertionError::UnknownKey)));
    let stranger = Claims { iss: "stranger".to_owned(), ..claims() };
    assert!(keys().verify(&token(&stranger), "uid-1", now()).is_err());
    let mut changed = token(&claims()).into_bytes();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    assert!(keys().verify(&String::from_utf8_lossy(&changed), "uid-1", now()).is_err());
    assert!(keys().verify("rubbish", "uid-1", now()).is_err());
}

#[rstest]
#[case::from_the_beginning_of_time(i64::MIN, i64::MIN)]
#[case::until_its_end(i64::MIN, i64::MAX)]
#[case::at_its_end(i64::MAX, i64::MAX)]
fn times_out_of_all_bounds_are_refused(#[case] iat: i64, #[case] exp: i64) {
    let claims = Claims { iat, exp, ..claims() };
    assert!(keys().verify(&token(&claims), "uid-1", now()).is_err());
}
