//! How often somebody may fail to log in: token buckets for each address and for all together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Failures one address may have at once.
const ADDRESS_BURST: f64 = 10.0;

/// After that, one more of it every so often.
const ADDRESS_PERIOD: Duration = Duration::from_secs(6);

/// Failures that all addresses together may have at once: each is a question to the API server.
const GLOBAL_BURST: f64 = 200.0;

/// After that, one more of all every so often.
const GLOBAL_PERIOD: Duration = Duration::from_millis(300);

/// Addresses remembered at a time; all others share one bucket.
const ADDRESS_LIMIT: usize = 4096;

/// Limits attempts. A success is given back, so only failures count: many people may share an address.
#[derive(Debug)]
pub struct LoginLimit {
    addresses: HashMap<IpAddr, Bucket>,
    others: Bucket,
    all: Bucket,
}

impl LoginLimit {
    /// A limit at which nobody has failed yet.
    pub fn new(now: Instant) -> Self {
        Self {
            addresses: HashMap::new(),
            others: Bucket::full(ADDRESS_BURST, now),
            all: Bucket::full(GLOBAL_BURST, now),
        }
    }

    /// Takes one attempt, or tells how long to wait for the next.
    pub fn attempt(&mut self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let bucket = self.bucket(address, now);
        bucket.refill(ADDRESS_BURST, ADDRESS_PERIOD, now);
        bucket.available(ADDRESS_PERIOD)?;
        self.all.refill(GLOBAL_BURST, GLOBAL_PERIOD, now);
        self.all.available(GLOBAL_PERIOD)?;
        self.all.tokens -= 1.0;
        self.bucket(address, now).tokens -= 1.0;
        Ok(())
    }

    /// Gives an attempt back that succeeded.
    pub fn succeeded(&mut self, address: IpAddr, now: Instant) {
        self.all.tokens = (self.all.tokens + 1.0).min(GLOBAL_BURST);
        let bucket = self.bucket(address, now);
        bucket.tokens = (bucket.tokens + 1.0).min(ADDRESS_BURST);
    }

    fn bucket(&mut self, address: IpAddr, now: Instant) -> &mut Bucket {
        let address = network(address);
        if self.addresses.len() >= ADDRESS_LIMIT && !self.addresses.contains_key(&address) {
            self.addresses.retain(|_, bucket| {
                bucket.refill(ADDRESS_BURST, ADDRESS_PERIOD, now);
                bucket.tokens < ADDRESS_BURST
            });
            if self.addresses.len() >= ADDRESS_LIMIT {
                return &mut self.others;
            }
        }
        self.addresses.entry(address).or_insert_with(|| Bucket::full(ADDRESS_BURST, now))
    }
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    refilled: Instant,
}

impl Bucket {
    fn full(burst: f64, now: Instant) -> Self {
        Self { tokens: burst, refilled: now }
    }

    fn refill(&mut self, burst: f64, period: Duration, now: Instant) {
        let periods = now.saturating_duration_since(self.refilled).div_duration_f64(period);
        self.tokens = (self.tokens + periods).min(burst);
        self.refilled = now;
    }

    fn available(&self, period: Duration) -> Result<(), Duration> {
        if self.tokens >= 1.0 { Ok(()) } else { Err(period.mul_f64(1.0 - self.tokens)) }
    }
}

/// Who has one IPv6 address has the whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(number))
    }

    #[test]
    fn refuses_after_the_burst_and_recovers() {
        let start = Instant::now();
        let mut limit = LoginLimit::new(start);
        for _ in 0..10 {
            assert!(limit.attempt(address(1), start).is_ok());
        }
        let wait = limit.attempt(address(1), start).unwrap_err();
        assert_eq!(wait, ADDRESS_PERIOD);
        assert!(limit.attempt(address(2), start).is_ok());
        assert!(limit.attempt(address(1), start + wait).is_ok());
    }

    #[test]
    fn successes_do_not_count() {
        let start = Instant::now();
        let mut limit = LoginLimit::new(start);
        for _ in 0..1000 {
            assert!(limit.attempt(address(1), start).is_ok());
            limit.succeeded(address(1), start);
        }
    }

    #[test]
    fn all_together_are_limited_and_the_table_is_bounded() {
        let start = Instant::now();
        let mut limit = LoginLimit::new(start);
        let passed =
            (0..10_000).filter(|number| limit.attempt(address(*number), start).is_ok()).count();
        assert_eq!(passed, 200);
        assert!(limit.addresses.len() <= ADDRESS_LIMIT);
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let start = Instant::now();
        let mut limit = LoginLimit::new(start);
        let passed = (0..100_u128)
            .filter(|number| {
                limit.attempt(IpAddr::V6((0x2001_0db8 << 96 | number).into()), start).is_ok()
            })
            .count();
        assert_eq!(passed, 10);
    }
}
