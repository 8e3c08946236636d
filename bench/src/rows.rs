//! Locks straight into a store, far faster than over HTTP.

use leasehold_core::{Batch, IdError, LockId, LockKind, LockUid, Namespace, Row, Wall};
use leasehold_store::{Store, StoreError};
use thiserror::Error;

use crate::locks::lock_name;

/// Rows in one commit.
const BATCH_ROWS: usize = 10_000;

/// Why a store was not filled.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A name was refused.
    #[error("a name {0}")]
    Name(#[from] IdError),
}

/// Commits the first `locks` locks of the bench, free and write-exclusive, in namespace `default`.
///
/// # Errors
/// [`WriteError`]; locks committed before it stay.
pub async fn write(store: &mut dyn Store, locks: usize, now: Wall) -> Result<(), WriteError> {
    let namespace = Namespace::parse("default")?;
    let epoch = store.claim().await?;
    for first in (0..locks).step_by(BATCH_ROWS) {
        let mut batch = Batch::default();
        for number in first..locks.min(first + BATCH_ROWS) {
            batch.put(Row::Lock {
                namespace: namespace.clone(),
                lock_id: LockId::parse(&lock_name(number))?,
                uid: LockUid((number as u128).to_be_bytes()),
                kind: LockKind { max_writers: Some(1), ..LockKind::default() },
                created_at: now,
                updated_at: now,
            });
        }
        store.commit(epoch, &batch).await?;
    }
    store.resign(epoch).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use leasehold_store::MemoryStore;
    use tokio::runtime;

    use super::*;

    #[test]
    fn every_lock_is_written_once_across_batches() {
        let locks = 2 * BATCH_ROWS + 1;
        let runtime = runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut store = MemoryStore::default();
            write(&mut store, locks, Wall(0)).await.unwrap();
            let mut names = BTreeSet::new();
            let epoch = store.claim().await.unwrap();
            let mut visit = |row| match row {
                Row::Lock { lock_id, .. } => assert!(names.insert(lock_id)),
                other => panic!("nothing but locks: {other:?}"),
            };
            store.load(epoch, &mut visit).await.unwrap();
            assert_eq!(names.len(), locks);
            assert!(names.contains(&LockId::parse(&lock_name(locks - 1)).unwrap()));
        });
    }
}
