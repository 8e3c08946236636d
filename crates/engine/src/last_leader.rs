//! The leader that the store named last, and how long a follower relies on that.
//!
//! A look at the store that fails says nothing about the leader. A follower goes on sending callers there
//! for a whole lease after the store last named it. That is safe: the leader fences itself, and a
//! replica that does not lead refuses what is forwarded to it.

use std::time::Duration;

use leasehold_core::Mono;
use leasehold_store::Leader;

/// A leader as the store named it at some moment.
#[derive(Debug)]
pub(crate) struct LastLeader {
    leader: Leader,
    relied_on_until: Mono,
}

impl LastLeader {
    /// The store named this leader now.
    pub(crate) fn new(leader: Leader, now: Mono, lease: Option<Duration>) -> Self {
        Self { leader, relied_on_until: now.plus(lease.unwrap_or_default()) }
    }

    /// The leader, and how long to rely on it from now on; `None` if no more.
    pub(crate) fn relied_on(&self, now: Mono) -> Option<(&Leader, Duration)> {
        let left = self.relied_on_until.since(now);
        (!left.is_zero()).then_some((&self.leader, left))
    }
}
