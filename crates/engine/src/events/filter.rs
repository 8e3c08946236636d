//! Which events a follower wants.

use leasehold_core::{Event, EventKind, LockId, Namespace};

/// Which events a follower wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filter {
    /// Only those of this namespace.
    pub namespace: Namespace,
    /// Only those of these locks.
    pub locks: Locks,
    /// Those of refreshes too.
    pub with_refreshes: bool,
}

/// Which locks a follower looks at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Locks {
    /// This one, whether it exists or not.
    One(LockId),
    /// All whose names begin like this.
    WithPrefix(String),
}

impl Filter {
    pub(crate) fn wants(&self, event: &Event) -> bool {
        let is_of_these = match &self.locks {
            Locks::One(lock_id) => *lock_id == event.lock_id,
            Locks::WithPrefix(prefix) => event.lock_id.as_str().starts_with(prefix.as_str()),
        };
        is_of_these && self.namespace == event.namespace
    }
}

/// Whether an event is one of those that come by the thousand and change nothing about who holds what.
pub(super) fn is_refresh(event: &Event) -> bool {
    match event.kind {
        EventKind::Refreshed { .. } => true,
        EventKind::Created
        | EventKind::Granted { .. }
        | EventKind::Queued { .. }
        | EventKind::LeftLine { .. }
        | EventKind::Ended { .. }
        | EventKind::Deleted => false,
    }
}
