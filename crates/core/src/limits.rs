//! What bounds the table (I7). Plain data, checked where settings are read.

use crate::reply::Refusal;
use crate::time::TimeoutSecs;

/// Bounds that a command can run into; each has its own refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Locks in one namespace.
    pub max_locks_per_namespace: usize,
    /// Holders of one lock, readers or writers.
    pub max_holders_per_lock: usize,
    /// Longest timeout of a hold, in seconds.
    pub max_timeout_secs: u32,
    /// API keys in all namespaces together.
    pub max_keys: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_locks_per_namespace: 2_000_000,
            max_holders_per_lock: 100_000,
            max_timeout_secs: 7 * 24 * 3600,
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
        let (asked, max) = (timeout.get(), self.max_timeout_secs);
        if asked > max { Err(Refusal::TimeoutTooLong { asked, max }) } else { Ok(()) }
    }
}
