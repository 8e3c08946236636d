//! A store without a disk, for tests and for trying things out. Nothing outlives the last handle.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use leasehold_core::{Batch, Row};

use crate::encoded::{EncodedRows, encode_batch};
use crate::store::{Epoch, Store, StoreError};

/// Rows in memory, for tests. Clones share the rows, so that two clones are two would-be leaders of
/// the same data. Rows are kept encoded, so that a test on this store goes through the encoding.
#[derive(Clone, Default, Debug)]
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default, Debug)]
struct Shared {
    claimed: Epoch,
    leading: Option<Epoch>,
    rows: EncodedRows,
}

impl Shared {
    fn check(&self, epoch: Epoch) -> Result<(), StoreError> {
        if self.leading == Some(epoch) { Ok(()) } else { Err(StoreError::Fenced(epoch)) }
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A holder of the mutex that panicked was a test that has failed already.
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn claim(&mut self) -> Result<Epoch, StoreError> {
        let mut shared = self.shared();
        shared.claimed = Epoch(shared.claimed.0 + 1);
        shared.leading = Some(shared.claimed);
        Ok(shared.claimed)
    }

    async fn load(
        &mut self,
        epoch: Epoch,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        let shared = self.shared();
        shared.check(epoch)?;
        shared.rows.visit(visit)
    }

    async fn commit(&mut self, epoch: Epoch, batch: &Batch) -> Result<(), StoreError> {
        let encoded = encode_batch(batch)?;
        let mut shared = self.shared();
        shared.check(epoch)?;
        shared.rows.apply(encoded);
        Ok(())
    }

    async fn renew(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.shared().check(epoch)
    }

    async fn resign(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        let mut shared = self.shared();
        shared.check(epoch)?;
        shared.leading = None;
        Ok(())
    }
}
