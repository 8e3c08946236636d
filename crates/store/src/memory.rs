//! A store without a disk, for tests and for trying things out. Nothing outlives the last handle.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use leasehold_core::{Batch, Row, Wall};

use crate::encoded::{EncodedRows, encode_batch};
use crate::store::{Candidate, Epoch, Leader, Store, StoreError};

/// Rows in memory, for tests. Clones share the rows, so that two clones are two would-be leaders of
/// the same data. Rows are kept encoded, so that a test on this store goes through the encoding.
#[derive(Clone, Default, Debug)]
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
    candidate: Option<Candidate>,
    /// The term that this handle claimed last.
    claimed: Option<Epoch>,
}

#[derive(Default, Debug)]
struct Shared {
    claimed: Epoch,
    leading: Option<Epoch>,
    lease: Option<(Leader, Instant)>,
    rows: EncodedRows,
}

impl Shared {
    fn check(&self, epoch: Epoch) -> Result<(), StoreError> {
        if self.leading == Some(epoch) { Ok(()) } else { Err(StoreError::Fenced(epoch)) }
    }

    /// The leader whose lease lasts.
    fn leader(&self) -> Option<&Leader> {
        let (leader, until) = self.lease.as_ref()?;
        (Instant::now() < *until).then_some(leader)
    }

    fn prolong(&mut self, lease: Duration) {
        if let Some((_, until)) = &mut self.lease {
            *until = Instant::now() + lease;
        }
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A handle on the same rows for a replica whose leadership is a lease.
    #[must_use]
    pub fn replica(&self, candidate: Candidate) -> Self {
        Self { shared: Arc::clone(&self.shared), candidate: Some(candidate), claimed: None }
    }

    /// A holder of the mutex that panicked was a test that has failed already.
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn claim(&mut self) -> Result<Epoch, StoreError> {
        let epoch = {
            let mut shared = self.shared();
            if let Some(leader) = shared.leader().filter(|l| Some(l.epoch) != self.claimed) {
                return Err(StoreError::Led(Box::new(leader.clone())));
            }
            let epoch = Epoch(shared.claimed.0 + 1);
            shared.claimed = epoch;
            shared.leading = Some(epoch);
            shared.lease =
                self.candidate.clone().map(|Candidate { address, lease, link_token }| {
                    let leader = Leader { epoch, address, link_token, since: Wall(0) };
                    (leader, Instant::now() + lease)
                });
            epoch
        };
        self.claimed = Some(epoch);
        Ok(epoch)
    }

    async fn load(
        &mut self,
        epoch: Epoch,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        let mut shared = self.shared();
        shared.check(epoch)?;
        shared.rows.visit(visit)?;
        // Nobody else could have had a look meanwhile.
        if let Some(candidate) = &self.candidate {
            shared.prolong(candidate.lease);
        }
        Ok(())
    }

    async fn commit(&mut self, epoch: Epoch, batch: &Batch) -> Result<(), StoreError> {
        let encoded = encode_batch(batch)?;
        let mut shared = self.shared();
        shared.check(epoch)?;
        shared.rows.apply(encoded);
        Ok(())
    }

    async fn renew(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        let mut shared = self.shared();
        shared.check(epoch)?;
        if let Some(candidate) = &self.candidate {
            shared.prolong(candidate.lease);
        }
        Ok(())
    }

    async fn resign(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        let mut shared = self.shared();
        shared.check(epoch)?;
        shared.leading = None;
        shared.lease = None;
        Ok(())
    }

    async fn leader(&mut self) -> Result<Option<Leader>, StoreError> {
        Ok(self.shared().leader().cloned())
    }

    fn lease(&self) -> Option<Duration> {
        self.candidate.as_ref().map(|candidate| candidate.lease)
    }
}
