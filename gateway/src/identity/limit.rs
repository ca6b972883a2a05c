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

/// No attempt may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// How long until there may be one, if all that are under way fail.
    pub wait: Duration,
    /// Whether some are under way that count in the same place.
    pub under_way: bool,
}

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

    /// Takes one attempt, which is under way until it has ended.
    pub fn attempt(&mut self, address: IpAddr, now: Instant) -> Result<(), Full> {
        let bucket = self.bucket(address, now);
        bucket.refill(ADDRESS_BURST, ADDRESS_PERIOD, now);
        bucket.available(ADDRESS_PERIOD)?;
        self.all.refill(GLOBAL_BURST, GLOBAL_PERIOD, now);
        self.all.available(GLOBAL_PERIOD)?;
        self.all.take();
        self.bucket(address, now).take();
        Ok(())
    }

    /// An attempt is over. One that succeeded is given back.
    pub fn ended(&mut self, address: IpAddr, succeeded: bool, now: Instant) {
        self.all.end(succeeded, GLOBAL_BURST);
        self.bucket(address, now).end(succeeded, ADDRESS_BURST);
    }

    fn bucket(&mut self, address: IpAddr, now: Instant) -> &mut Bucket {
        let address = network(address);
        if self.addresses.len() >= ADDRESS_LIMIT && !self.addresses.contains_key(&address) {
            self.addresses.retain(|_, bucket| {
                bucket.refill(ADDRESS_BURST, ADDRESS_PERIOD, now);
                bucket.tokens < ADDRESS_BURST || bucket.under_way > 0
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
    under_way: u32,
}

impl Bucket {
    fn full(burst: f64, now: Instant) -> Self {
        Self { tokens: burst, refilled: now, under_way: 0 }
    }

    fn refill(&mut self, burst: f64, period: Duration, now: Instant) {
        let periods = now.saturating_duration_since(self.refilled).div_duration_f64(period);
        self.tokens = (self.tokens + periods).min(burst);
        self.refilled = now;
    }

    fn available(&self, period: Duration) -> Result<(), Full> {
        if self.tokens >= 1.0 {
            return Ok(());
        }
        Err(Full { wait: period.mul_f64(1.0 - self.tokens), under_way: self.under_way > 0 })
    }

    fn take(&mut self) {
        self.tokens -= 1.0;
        self.under_way += 1;
    }

    fn end(&mut self, succeeded: bool, burst: f64) {
        // One that began where all others are counted may end where its address is.
        self.under_way = self.under_way.saturating_sub(1);
        if succeeded {
            self.tokens = (self.tokens + 1.0).min(burst);
        }
    }
}

/// Who has one IPv6 address has the whole /64.
pub(super) fn network(address: IpAddr) -> IpAddr {
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
        let wait = ADDRESS_PERIOD;
        let full = limit.attempt(address(1), start).unwrap_err();
        assert_eq!(full, Full { wait, under_way: true });
        for _ in 0..10 {
            limit.ended(address(1), false, start);
        }
        let full = limit.attempt(address(1), start).unwrap_err();
        assert_eq!(full, Full { wait, under_way: false });
        assert!(limit.attempt(address(2), start).is_ok());
        assert!(limit.attempt(address(1), start + wait).is_ok());
    }

    #[test]
    fn successes_do_not_count() {
        let start = Instant::now();
        let mut limit = LoginLimit::new(start);
        for _ in 0..1000 {
            assert!(limit.attempt(address(1), start).is_ok());
            limit.ended(address(1), true, start);
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
