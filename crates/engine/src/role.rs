//! Where the commit loop stands, for readiness probes and for refusing early.

use leasehold_store::Leader;

/// What the commit loop is doing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// Claiming an epoch and loading the table. Answers nothing yet.
    Recovering {
        /// Why it had to start over, or that it is the first start.
        reason: String,
    },
    /// Another replica leads: requests belong there.
    Following(Leader),
    /// Owns the table and answers.
    Leading,
    /// Finishing the last batch; takes nothing new.
    Draining,
    /// Ended, and will not come back by itself.
    Stopped {
        /// Why.
        reason: String,
    },
}
