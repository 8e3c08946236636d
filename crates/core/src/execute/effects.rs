//! What a stretch of commands did: what to commit, whom to answer, what to count.

use crate::change::{Change, EndCause};
use crate::event::Event;
use crate::line::Ticket;
use crate::reply::{Refusal, Reply};
use crate::row::Batch;

/// What a stretch of commands did. Nothing of it may leave before `batch` is durable (I2).
#[derive(Debug, Default)]
pub struct Effects {
    /// The rows as they are to be after the commit.
    pub batch: Batch,
    /// What to tell those who follow, in the order in which it happened.
    pub events: Vec<Event>,
    /// Waiters whose wait is over, and what to tell them.
    pub settled: Vec<(Ticket, Result<Reply, Refusal>)>,
    /// Holds granted.
    pub granted: u64,
    /// Holds given back.
    pub released: u64,
    /// Holds whose timeout passed.
    pub expired: u64,
    /// Holds that an admin ended.
    pub forced: u64,
    /// Whether keys were made, limited or revoked.
    pub keys_changed: bool,
    /// How many rows the batch may have before the round ends; `None` for any number.
    max_rows: Option<usize>,
}

impl Effects {
    /// Effects of a round that stops when its batch has so many rows, and goes on in the next.
    #[must_use]
    pub fn of_round(max_rows: usize) -> Self {
        Self { max_rows: Some(max_rows), ..Self::default() }
    }

    /// Whether the batch has as many rows as the round may write: what is left is for the next round.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.max_rows.is_some_and(|max_rows| self.batch.len() >= max_rows)
    }

    pub(crate) fn count(&mut self, change: &Change) {
        match change {
            Change::Granted { .. } => self.granted += 1,
            Change::Ended { cause, .. } => match cause {
                EndCause::Released | EndCause::Converted => self.released += 1,
                EndCause::Expired => self.expired += 1,
                EndCause::Forced => self.forced += 1,
            },
            Change::KeyCreated(_) | Change::KeyLimited { .. } | Change::KeyRevoked(_) => {
                self.keys_changed = true;
            }
            Change::LockCreated { .. }
            | Change::LockDeleted { .. }
            | Change::PastDropped { .. }
            | Change::PastRead { .. }
            | Change::Refreshed { .. }
            | Change::Confirmed(_)
            | Change::Queued(_)
            | Change::WaitEnded { .. }
            | Change::TicketUsed(_)
            | Change::LeftLine { .. }
            | Change::LockKept { .. }
            | Change::LockClosed { .. }
            | Change::HoldsShown { .. }
            | Change::LossesAcknowledged { .. }
            | Change::RequestRemembered { .. }
            | Change::RequestForgotten(_)
            | Change::LossesTold { .. }
            | Change::ReleaseRemembered { .. }
            | Change::ReleaseForgotten(_)
            | Change::SequenceAdvanced(_) => {}
        }
    }
}
