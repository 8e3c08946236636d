//! How sure a leader may be that nobody else leads, counted on its own clock.

use std::time::Duration;

use leasehold_core::Mono;

/// One part of a lease in so many is not relied on: clocks of two machines may run so much apart.
const MARGIN: u32 = 10;

/// Renewals in the time of one lease, if all goes well.
const RENEWALS: u32 = 3;

/// Pause before a renewal that failed is tried again, as a part of the lease.
const RETRIES: u32 = 20;

/// The leadership of one term.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    /// `None`: for as long as this process likes.
    length: Option<Duration>,
    /// When the claim or the renewal that succeeded last was sent: the store counts from later.
    sent: Mono,
    next_try: Mono,
}

impl Lease {
    /// A lease by a claim or renewal that was sent then.
    pub(crate) fn new(length: Option<Duration>, sent: Mono) -> Self {
        let next_try = sent.plus(length.unwrap_or_default() / RENEWALS);
        Self { length, sent, next_try }
    }

    /// The same lease, renewed by what was sent then.
    pub(crate) fn renewed(self, sent: Mono) -> Self {
        Self::new(self.length, sent)
    }

    /// The same lease after a renewal that did not go through.
    pub(crate) fn not_renewed(self, now: Mono) -> Self {
        let next_try = now.plus(self.length.unwrap_or_default() / RETRIES);
        Self { next_try, ..self }
    }

    /// When to renew it, if ever. One of zero length would be over before that is answered.
    pub(crate) fn due(&self) -> Option<Mono> {
        self.length.filter(|length| !length.is_zero()).map(|_| self.next_try)
    }

    /// When that was sent to which the store last answered that nobody else had claimed.
    pub(crate) fn confirmed(&self) -> Mono {
        self.sent
    }

    /// Whether nobody else can lead yet.
    pub(crate) fn is_certain(&self, now: Mono) -> bool {
        self.length.is_none_or(|length| now < self.sent.plus(length - length / MARGIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Mono {
        Mono(ms * 1_000_000)
    }

    #[test]
    fn a_lease_counts_from_before_it_was_sent_and_ends_early() {
        let lease = Lease::new(Some(Duration::from_secs(3)), at(1_000));
        assert_eq!(lease.due(), Some(at(2_000)));
        assert!(lease.is_certain(at(3_699)));
        assert!(!lease.is_certain(at(3_700)), "the store may let another lead at 4,000");
        let lease = lease.not_renewed(at(2_100));
        assert_eq!(lease.due(), Some(at(2_250)));
        assert!(!lease.is_certain(at(3_700)));
        let lease = lease.renewed(at(2_250));
        assert!(lease.is_certain(at(4_949)));
    }

    #[test]
    fn a_lease_of_zero_is_never_certain_and_never_renewed() {
        let lease = Lease::new(Some(Duration::ZERO), at(1_000));
        assert_eq!(lease.due(), None);
        assert!(!lease.is_certain(at(1_000)));
        assert_eq!(lease.renewed(at(2_000)).confirmed(), at(2_000));
    }

    #[test]
    fn leadership_without_a_lease_lasts() {
        let lease = Lease::new(None, at(0));
        assert_eq!(lease.due(), None);
        assert!(lease.is_certain(at(u64::MAX / 2_000_000)));
    }
}
