//! A store that fails to order and forgets what was not synced: the double that the commit loop is
//! tested with.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use leasehold_core::{Batch, Row};

use crate::encoded::{EncodedBatch, EncodedRows, encode_batch};
use crate::store::{Epoch, Store, StoreError};

/// How one commit goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// [`StoreError::Unavailable`]: nothing is written.
    Unavailable,
    /// [`StoreError::OutcomeUnknown`], and the batch is lost.
    UnknownLost,
    /// [`StoreError::OutcomeUnknown`], and the batch is written, but not synced.
    UnknownKept,
    /// The batch is written and its sync never returns.
    FrozenSync,
    /// A rival claims an epoch just before: [`StoreError::Fenced`], nothing is written.
    RivalClaim,
}

/// A store in memory with two images: what is written, and what a power loss would leave.
///
/// A commit writes and then syncs; a claim syncs what earlier commits left unsynced, as an engine
/// does when it opens. Rows are kept encoded. [`FaultyStore::faults`] plans failures and pulls the plug.
#[derive(Debug)]
pub struct FaultyStore {
    shared: Arc<Mutex<Shared>>,
}

/// The strings of a [`FaultyStore`]; stays valid while the store is away in a commit loop.
#[derive(Clone, Debug)]
pub struct Faults {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default, Debug)]
struct Shared {
    claimed: Epoch,
    leading: Option<Epoch>,
    live: EncodedRows,
    durable: EncodedRows,
    unsynced: Vec<EncodedBatch>,
    planned: BTreeMap<u64, Fault>,
    commits: u64,
    rows_written: u64,
    is_dead: bool,
}

impl Shared {
    fn check_alive(&self) -> Result<(), StoreError> {
        if self.is_dead {
            return Err(StoreError::Unavailable("the machine has crashed".to_owned()));
        }
        Ok(())
    }

    fn check(&self, epoch: Epoch) -> Result<(), StoreError> {
        self.check_alive()?;
        if self.leading == Some(epoch) { Ok(()) } else { Err(StoreError::Fenced(epoch)) }
    }

    fn claim(&mut self) -> Epoch {
        self.claimed = Epoch(self.claimed.0 + 1);
        self.leading = Some(self.claimed);
        self.claimed
    }

    fn write(&mut self, batch: EncodedBatch) {
        self.rows_written += batch.len() as u64;
        self.live.apply(batch.clone());
        self.unsynced.push(batch);
    }

    fn sync(&mut self) {
        for batch in self.unsynced.drain(..) {
            self.durable.apply(batch);
        }
    }
}

/// A holder of the mutex that panicked was a test that has failed already.
fn locked(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for FaultyStore {
    fn default() -> Self {
        Self::new()
    }
}

impl FaultyStore {
    /// An empty store with no faults planned.
    #[must_use]
    pub fn new() -> Self {
        Self { shared: Arc::default() }
    }

    /// The strings to pull.
    #[must_use]
    pub fn faults(&self) -> Faults {
        Faults { shared: Arc::clone(&self.shared) }
    }
}

impl Faults {
    /// Plans a fault for the `nth` commit, counted from 1 since the store was made.
    pub fn fail_commit(&self, nth: u64, fault: Fault) {
        locked(&self.shared).planned.insert(nth, fault);
    }

    /// How many commits were tried under a valid epoch, failed ones included.
    #[must_use]
    pub fn commits(&self) -> u64 {
        locked(&self.shared).commits
    }

    /// How many row writes reached the live image.
    #[must_use]
    pub fn rows_written(&self) -> u64 {
        locked(&self.shared).rows_written
    }

    /// Another handle on the same data: a would-be leader beside the first.
    #[must_use]
    pub fn rival(&self) -> FaultyStore {
        FaultyStore { shared: Arc::clone(&self.shared) }
    }

    /// Pulls the plug. All handles are dead from now on; the store that is returned is what the next
    /// start finds: everything synced, and of what was written but not synced the first
    /// `kept_unsynced` commits, because a disk may have taken those all the same.
    #[must_use]
    pub fn crash(&self, kept_unsynced: usize) -> FaultyStore {
        let mut before = locked(&self.shared);
        before.is_dead = true;
        let mut found = before.durable.clone();
        for batch in before.unsynced.iter().take(kept_unsynced) {
            found.apply(batch.clone());
        }
        let after = Shared {
            claimed: before.claimed,
            live: found.clone(),
            durable: found,
            ..Shared::default()
        };
        FaultyStore { shared: Arc::new(Mutex::new(after)) }
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn claim(&mut self) -> Result<Epoch, StoreError> {
        let mut shared = locked(&self.shared);
        shared.check_alive()?;
        shared.sync();
        Ok(shared.claim())
    }

    async fn load(
        &mut self,
        epoch: Epoch,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        let shared = locked(&self.shared);
        shared.check(epoch)?;
        shared.live.visit(visit)
    }

    async fn commit(&mut self, epoch: Epoch, batch: &Batch) -> Result<(), StoreError> {
        let encoded = encode_batch(batch)?;
        {
            let mut shared = locked(&self.shared);
            shared.check(epoch)?;
            shared.commits += 1;
            let nth = shared.commits;
            match shared.planned.remove(&nth) {
                None => {
                    shared.write(encoded);
                    shared.sync();
                    return Ok(());
                }
                Some(Fault::Unavailable) => {
                    return Err(StoreError::Unavailable("planned".to_owned()));
                }
                Some(Fault::UnknownLost) => {
                    return Err(StoreError::OutcomeUnknown("planned".to_owned()));
                }
                Some(Fault::UnknownKept) => {
                    shared.write(encoded);
                    return Err(StoreError::OutcomeUnknown("planned".to_owned()));
                }
                Some(Fault::RivalClaim) => {
                    shared.claim();
                    return Err(StoreError::Fenced(epoch));
                }
                Some(Fault::FrozenSync) => shared.write(encoded),
            }
        }
        pending().await
    }

    async fn renew(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        locked(&self.shared).check(epoch)
    }

    async fn resign(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        let mut shared = locked(&self.shared);
        shared.check(epoch)?;
        shared.leading = None;
        Ok(())
    }
}
