//! What the commit loop asks of an engine, and how an engine may fail.

use std::fmt;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use leasehold_core::{Batch, Row, Wall};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A term of leadership. Grows with every claim and is never given out twice by one store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Epoch(pub u64);

/// What a replica asks the others to show. Only readers of the store know it, so it never stands in a
/// log: its `Debug` hides it, and it has no `Display`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LinkToken(String);

impl LinkToken {
    /// The token itself, to be stored or sent to a replica.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for LinkToken {
    fn from(token: String) -> Self {
        Self(token)
    }
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkToken(hidden)")
    }
}

/// A replica that may lead, as it presents itself to the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Where the other replicas reach it: `host:port`.
    pub address: String,
    /// How long its leadership lasts without a renewal. Zero: others of that kind may claim at any time,
    /// and so may all others; nothing is renewed, [`Store::renew`] only confirms.
    pub lease: Duration,
    /// What the others show when they forward requests to it.
    pub link_token: LinkToken,
}

/// Who leads, as the store has it: enough for every other replica to hand requests on to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leader {
    /// Its term.
    pub epoch: Epoch,
    /// Where it is reached: `host:port`.
    pub address: String,
    /// What to show there.
    pub link_token: LinkToken,
    /// When its term began, by its own clock or by that of the store.
    pub since: Wall,
}

/// How an engine failed, by what the commit loop does next.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum StoreError {
    /// A later epoch has been claimed: nothing was written, and this leader must step down.
    #[error("a later leader has taken over; epoch {} is over", .0.0)]
    Fenced(Epoch),
    /// Another replica leads and its lease has not run out: nothing was changed. Ask again later.
    #[error("the replica at {} leads, in epoch {}", .0.address, .0.epoch.0)]
    Led(Box<Leader>),
    /// It did not happen. Trying again may work.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// It may or may not have happened. Only loading again tells.
    #[error("the store did not say whether it wrote: {0}")]
    OutcomeUnknown(String),
    /// What is stored cannot be trusted. A person has to look at it; nothing was changed.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
}

/// Renewals in the time of one lease, while rows are loaded.
const RENEWALS: u32 = 3;

/// Whether a lease that was prolonged then has to be renewed in the middle of a load.
pub(crate) fn is_due_to_renew(lease: Duration, prolonged: Instant) -> bool {
    !lease.is_zero() && prolonged.elapsed() >= lease / RENEWALS
}

/// A durable home for rows with one writer at a time.
///
/// The writer claims an epoch, loads all rows and then commits batches under that epoch. A claim that
/// succeeds fences all earlier epochs: their commits fail with [`StoreError::Fenced`] and write nothing.
///
/// Where several replicas share a store, leadership is a lease: while it lasts, claims of others fail
/// with [`StoreError::Led`]. It keeps them apart in time, because a leader answers from memory until its lease
/// is over by its own clock: no other may claim before a whole lease has passed since the last renewal
/// that was acknowledged, unless the leader has resigned, and whatever happens to the record of it. What keeps
/// the rows right is the fence: a lease that has run out ends no epoch until another is claimed.
#[async_trait]
pub trait Store: Send {
    /// Begins a new epoch, above every earlier one, and fences those. The leader of a lease that still
    /// lasts may claim again itself.
    ///
    /// # Errors
    /// [`StoreError::Led`]: somebody else leads, or may.
    /// [`StoreError::Unavailable`] or [`StoreError::OutcomeUnknown`]: claim again.
    /// [`StoreError::Corrupt`]: the store's format or content is not one that this version can trust.
    async fn claim(&mut self) -> Result<Epoch, StoreError>;

    /// Hands every row to `visit`, in any order: exactly what has been committed. However long that takes,
    /// the lease lasts meanwhile: it is renewed, though nobody else renews it then. Only a single
    /// call of `visit` must not take long.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if `epoch` is over; [`StoreError::Unavailable`];
    /// [`StoreError::Corrupt`] names the row that cannot be read. Rows visited before an error are void.
    async fn load(
        &mut self,
        epoch: Epoch,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError>;

    /// Writes a batch durably, all or nothing, if `epoch` is still the latest.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] and [`StoreError::Unavailable`]: nothing was written.
    /// [`StoreError::OutcomeUnknown`]: claim and load again to learn what is true.
    async fn commit(&mut self, epoch: Epoch, batch: &Batch) -> Result<(), StoreError>;

    /// Confirms that `epoch` is still the latest at some moment of this call and, where leadership is a
    /// lease, prolongs it. A lease of zero is only confirmed: nothing is written.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if it is over; [`StoreError::Unavailable`].
    async fn renew(&mut self, epoch: Epoch) -> Result<(), StoreError>;

    /// Gives `epoch` up so that another may claim without waiting. Further commits are fenced.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if it was over already; [`StoreError::Unavailable`].
    async fn resign(&mut self, epoch: Epoch) -> Result<(), StoreError>;

    /// Who leads now, if anybody: whose lease lasts. Always `None` where a store has one handle at a
    /// time, which needs nobody else to know.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    async fn leader(&mut self) -> Result<Option<Leader>, StoreError> {
        Ok(None)
    }

    /// How long leadership lasts from the beginning of a claim or renewal that succeeded; `None` where it
    /// lasts until this process ends it.
    fn lease(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A follower logged its leader at INFO with `Debug`, and the token stood in the line. With it, anybody
    /// who read logs could join the replicas.
    #[test]
    fn a_link_token_is_hidden_wherever_a_leader_or_a_candidate_is_printed() {
        let link_token = LinkToken::from("s3cret".to_owned());
        let address = "a:1".to_owned();
        let leader = Leader {
            epoch: Epoch(1),
            address: address.clone(),
            link_token: link_token.clone(),
            since: Wall(0),
        };
        let candidate = Candidate { address, lease: Duration::ZERO, link_token };
        for text in [format!("{leader:?}"), format!("{leader:#?}"), format!("{candidate:?}")] {
            assert!(text.contains("hidden") && !text.contains("s3cret"), "{text}");
        }
    }
}
