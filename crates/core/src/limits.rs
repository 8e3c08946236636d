//! What bounds the table (I7). Plain data, checked where settings are read.

use std::time::Duration;

use crate::reply::Refusal;
use crate::time::{TimeoutSecs, Wall};

/// How long a place in line is kept after its wait ended, for the same process to come back to.
pub const GRACE: Duration = Duration::from_secs(2);

/// Lost holds that are remembered for one process, at most; the oldest are forgotten first (I7).
pub const MAX_LOST_HOLDS: usize = 100;

/// Processes whose losses are remembered, at most; whoever lost something longest ago is forgotten first
/// (I7).
pub const MAX_LOSERS: usize = 10_000;

/// How long a loss is told again and again, from when it was told first, unless the client acknowledges
/// it: the answer that told it may not have arrived.
pub const LOSSES_TOLD_FOR: Duration = Duration::from_secs(600);

/// Bounds that a command can run into; each has its own refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Locks in one namespace.
    pub max_locks_per_namespace: usize,
    /// Holders of one lock, readers or writers.
    pub max_holders_per_lock: usize,
    /// Longest timeout of a hold, in seconds.
    pub max_timeout_secs: u32,
    /// Requests in line for one lock.
    pub max_waiters_per_lock: usize,
    /// Requests in line in one namespace.
    pub max_waiters_per_namespace: usize,
    /// Requests in line in all.
    pub max_waiters: usize,
    /// Requests that are remembered by their idempotency keys, in all, and as many releases in rows; the
    /// oldest are forgotten first.
    pub max_remembered_releases: usize,
    /// Past holds that are kept for one lock's name; zero to keep none at all.
    pub max_history_per_lock: usize,
    /// How long a past hold is kept, in seconds of the wall clock.
    pub max_history_age_secs: u32,
    /// Past holds that are kept in all; the oldest are forgotten first.
    pub max_history: usize,
    /// API keys in all namespaces together.
    pub max_keys: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_locks_per_namespace: 2_000_000,
            max_holders_per_lock: 100_000,
            max_timeout_secs: 7 * 24 * 3600,
            max_waiters_per_lock: 10_000,
            max_waiters_per_namespace: 12_500,
            max_waiters: 15_000,
            max_remembered_releases: 100_000,
            max_history_per_lock: 100,
            max_history_age_secs: 30 * 24 * 3600,
            max_history: 100_000,
            max_keys: 10_000,
        }
    }
}

impl Limits {
    /// Whether a hold may last this long.
    ///
    /// # Errors
    /// [`Refusal::TimeoutTooLong`] with the longest that is allowed.
    pub fn check_timeout(&self, timeout: TimeoutSecs) -> Result<(), Refusal> {
        let max = self.max_timeout_secs;
        if timeout.get() > max { Err(Refusal::TimeoutTooLong { max }) } else { Ok(()) }
    }

    /// Whether ends are kept.
    pub(crate) fn keeps_history(&self) -> bool {
        self.max_history_per_lock > 0 && self.max_history > 0
    }

    /// Whether a past hold with this date is too old to be shown.
    pub(crate) fn is_too_old(&self, dated: Wall, now: Wall) -> bool {
        dated.plus(Duration::from_secs(u64::from(self.max_history_age_secs))) < now
    }
}
