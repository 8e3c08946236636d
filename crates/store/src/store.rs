//! What the commit loop asks of an engine, and how an engine may fail.

use async_trait::async_trait;
use leasehold_core::{Batch, Row};
use thiserror::Error;

/// A term of leadership. Grows with every claim and is never given out twice by one store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Epoch(pub u64);

/// How an engine failed, by what the commit loop does next.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum StoreError {
    /// A later epoch has been claimed: nothing was written, and this leader must step down.
    #[error("a later leader has taken over; epoch {} is over", .0.0)]
    Fenced(Epoch),
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

/// A durable home for rows with one writer at a time.
///
/// The writer claims an epoch, loads all rows and then commits batches under that epoch. A claim by
/// anybody fences all earlier epochs: their commits fail with [`StoreError::Fenced`] and write nothing.
#[async_trait]
pub trait Store: Send {
    /// Begins a new epoch, above every earlier one, and fences those.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::OutcomeUnknown`]: claim again.
    /// [`StoreError::Corrupt`]: the store's format or content is not one that this version can trust.
    async fn claim(&mut self) -> Result<Epoch, StoreError>;

    /// Hands every row to `visit`, in any order: exactly what has been committed.
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

    /// Confirms that `epoch` is still the latest and, where leadership is a lease, prolongs it.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if it is over; [`StoreError::Unavailable`].
    async fn renew(&mut self, epoch: Epoch) -> Result<(), StoreError>;

    /// Gives `epoch` up so that another may claim without waiting. Further commits are fenced.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if it was over already; [`StoreError::Unavailable`].
    async fn resign(&mut self, epoch: Epoch) -> Result<(), StoreError>;
}
