//! How many requests a key may still make. In memory: only the replica that leads looks at keys.

use governor::middleware::StateInformationMiddleware;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use leasehold_core::Rate;

/// The requests that a key has left. It starts full.
#[derive(Debug)]
pub struct Bucket {
    rate: Rate,
    limiter: DefaultDirectRateLimiter<StateInformationMiddleware>,
}

/// What one request found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tally {
    /// How many requests there may be.
    pub rate: Rate,
    /// How many may follow at once; `None` if there was none left for this one.
    pub left: Option<u32>,
}

impl Bucket {
    pub(crate) fn new(rate: Rate) -> Self {
        let quota = Quota::per_second(rate.per_second()).allow_burst(rate.burst());
        Self { rate, limiter: RateLimiter::direct(quota).with_middleware() }
    }

    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes one request out, if there is one.
    #[must_use]
    pub fn take(&self) -> Tally {
        let left = self.limiter.check().map(|state| state.remaining_burst_capacity()).ok();
        Tally { rate: self.rate, left }
    }
}

impl Tally {
    /// How long until the bucket is full again, if nothing is taken from it; if it was empty, how long
    /// until there is one request in it, at the most. In whole seconds, rounded up.
    #[must_use]
    pub fn resets_in_secs(self) -> u32 {
        let missing = self.left.map_or(1, |left| self.rate.burst().get().saturating_sub(left));
        missing.div_ceil(self.rate.per_second().get())
    }
}

#[cfg(test)]
mod tests {
    use leasehold_core::MAX_RATE;

    use super::*;

    #[test]
    fn a_burst_is_let_in_at_once_and_counted_down() {
        let bucket = Bucket::new(Rate::new(1, Some(3)).unwrap());
        let found: Vec<_> = (0..4).map(|_| bucket.take()).collect();
        let left: Vec<_> = found.iter().map(|tally| tally.left).collect();
        assert_eq!(left, [Some(2), Some(1), Some(0), None]);
        let resets: Vec<_> = found.iter().map(|tally| tally.resets_in_secs()).collect();
        assert_eq!(resets, [1, 2, 3, 1]);
    }

    #[test]
    fn the_highest_rate_is_one_that_can_be_counted() {
        let bucket = Bucket::new(Rate::new(MAX_RATE, None).unwrap());
        let tally = bucket.take();
        assert_eq!((tally.left, tally.resets_in_secs()), (Some(MAX_RATE - 1), 1));
    }
}
