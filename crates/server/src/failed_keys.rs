//! Bounds how fast one address can guess keys. Keys that the service made have 256 random bits and cannot be
//! guessed; the one of the settings is chosen by a person. So while an address has failed too often, no key
//! but those that the service made lets its callers in.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failures that an address may have before it is throttled.
const BURST: u32 = 30;

/// One failure is forgotten after so long.
const REFILL: Duration = Duration::from_secs(2);

/// Addresses that are remembered at most (I7); the whole takes less than 1 MiB.
const MAX_ADDRESSES: usize = 10_000;

/// Addresses among which the one to forget is chosen.
const LOOKED_AT: usize = 8;

/// The failures of each address: when the last of them is forgotten, if no more are added.
#[derive(Default)]
pub(crate) struct FailedKeys {
    forgotten_at: Mutex<HashMap<IpAddr, Instant>>,
}

impl FailedKeys {
    /// Whether this address has to wait before the next key that is not valid.
    pub(crate) fn is_throttled(&self, source: IpAddr) -> bool {
        let until = self.forgotten_at().get(&network(source)).copied();
        until.is_some_and(|until| until > Instant::now() + REFILL * (BURST - 1))
    }

    /// A key from this address was not valid. Where there is no room for one more address, one goes
    /// whose failures are few.
    pub(crate) fn note(&self, source: IpAddr) {
        let (network, now) = (network(source), Instant::now());
        let mut all = self.forgotten_at();
        if all.len() >= MAX_ADDRESSES && !all.contains_key(&network) {
            // Of a few: looking at all would make failures costly, which an attacker would like.
            let first = all.iter().take(LOOKED_AT).min_by_key(|(_, until)| **until);
            if let Some(first) = first.map(|(address, _)| *address) {
                all.remove(&first);
            }
        }
        let until = all.entry(network).or_insert(now);
        *until = ((*until).max(now) + REFILL).min(now + REFILL * BURST);
    }

    /// No thread panics while it holds the lock.
    fn forgotten_at(&self) -> MutexGuard<'_, HashMap<IpAddr, Instant>> {
        self.forgotten_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A customer of a provider has a whole /64 of IPv6 addresses.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i7_addresses_are_throttled_apart_and_their_number_is_bounded() {
        let failed = FailedKeys::default();
        let address = |number: u32| IpAddr::from(number.to_be_bytes());
        for count in 0..BURST {
            assert!(!failed.is_throttled(address(1)), "after {count}");
            failed.note(address(1));
        }
        assert!(failed.is_throttled(address(1)));
        assert!(!failed.is_throttled(address(2)));
        for number in 2..20_000 {
            failed.note(address(number));
        }
        assert!(failed.forgotten_at().len() <= MAX_ADDRESSES);
        assert!(failed.is_throttled(address(1)), "the worst is remembered longest");
    }

    #[test]
    fn addresses_of_one_network_count_as_one() {
        let parse = |text: &str| network(text.parse().unwrap());
        assert_eq!(parse("2001:db8::1"), parse("2001:db8::ffff:0:0:2"));
        assert_ne!(parse("2001:db8::1"), parse("2001:db8:0:1::1"));
        assert_eq!(parse("::ffff:192.0.2.1"), parse("192.0.2.1"));
    }
}
