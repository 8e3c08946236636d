//! Where the commit loop stands, for readiness probes and for refusing early.

use leasehold_core::Wall;
use leasehold_store::{Epoch, Leader};

/// A time of leading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Term {
    /// What its commits are fenced by.
    pub epoch: Epoch,
    /// When it began.
    pub since: Wall,
}

/// What the commit loop is doing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReplicaState {
    /// Claiming an epoch and loading the table. Answers nothing yet.
    Recovering {
        /// Why it had to start over, or that it is the first start.
        reason: String,
    },
    /// Leads on demand, and nobody has asked since it last led, if it ever did: the next call makes it
    /// take over.
    Standby,
    /// Another replica leads: requests belong there. While the store does not answer, this stays so for
    /// a whole lease after the store last said it.
    Following(Leader),
    /// Owns the table and answers.
    Leading(Term),
    /// Finishing the last batch; takes nothing new.
    Draining,
    /// Ended, and will not come back by itself.
    Stopped {
        /// Why.
        reason: String,
    },
}

impl ReplicaState {
    /// Whether the table is here.
    #[must_use]
    pub fn is_leading(&self) -> bool {
        matches!(self, Self::Leading(_))
    }
}
