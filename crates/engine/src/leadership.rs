//! When a commit loop leads.

use std::time::Duration;

use leasehold_core::Deadlines;
use leasehold_store::Store;

/// When a commit loop leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Leadership {
    /// From its start on, or from when no other replica does, for as long as it can.
    #[default]
    Continuous,
    /// From the first call on, until another takes over, which may be at any time. Nothing is done while
    /// nobody asks, every answer is fenced, and deadlines are kept in the store. Takes a store whose leases
    /// are of zero length.
    OnDemand {
        /// The most that the wall clocks of any two that lead may differ.
        max_clock_skew: Duration,
    },
}

impl Leadership {
    pub(crate) fn is_on_demand(self) -> bool {
        match self {
            Self::Continuous => false,
            Self::OnDemand { .. } => true,
        }
    }

    /// How long a term of the store may be relied on without asking it: on demand, never.
    pub(crate) fn lease_of(self, store: &dyn Store) -> Option<Duration> {
        match self {
            Self::Continuous => store.lease(),
            Self::OnDemand { .. } => Some(Duration::ZERO),
        }
    }

    pub(crate) fn deadlines(self) -> Deadlines {
        match self {
            Self::Continuous => Deadlines::Anew,
            Self::OnDemand { max_clock_skew } => Deadlines::Stored { max_clock_skew },
        }
    }
}
