//! The durable facts: what a store keeps, one row a lock and one a hold.

use std::collections::BTreeMap;

use crate::command::{HoldKey, LockKind};
use crate::history::PastHold;
use crate::id::{IdempotencyKey, KeyId, LockId, LockUid, Namespace, Note};
use crate::key::ApiKey;
use crate::time::{TimeoutSecs, Wall};
use crate::token::FencingToken;

/// Names a row.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RowKey {
    /// One lock.
    Lock(Namespace, LockId),
    /// One hold of one lock.
    Hold(HoldKey),
    /// The last release of one hold that carried an idempotency key.
    Release(HoldKey),
    /// One past hold. The number is the row's own: a row is written anew with a past hold of another
    /// lock once the one that it kept is forgotten.
    Past(u64),
    /// One API key.
    Key(KeyId),
    /// The highest fencing token given out.
    Sequence,
    /// An import that has begun and is not complete.
    Import,
    /// Whether the times in holds can be reckoned by.
    StoredDeadlines,
}

/// One durable fact. Deadlines are not among them: recovery starts timeouts anew (I4), or reckons by when
/// they began, if that is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Row {
    /// A lock exists.
    Lock {
        /// Its namespace.
        namespace: Namespace,
        /// Its name.
        lock_id: LockId,
        /// Its UUID.
        uid: LockUid,
        /// What it allows.
        kind: LockKind,
        /// When it was created.
        created_at: Wall,
        /// When a hold of it last ended, or it was created. Grants are dated by their own rows, and so
        /// are ends that are kept.
        updated_at: Wall,
    },
    /// A process holds a lock.
    Hold {
        /// Who holds what, and how.
        hold: HoldKey,
        /// Its fencing token.
        token: FencingToken,
        /// How long it lasts without a refresh.
        timeout: TimeoutSecs,
        /// When it was granted.
        acquired_at: Wall,
        /// When its timeout began, if deadlines are stored. If not, it may have begun later.
        renewed_at: Wall,
        /// What its holder says about it.
        note: Option<Note>,
        /// The mark of the request that took it.
        idempotency_key: Option<IdempotencyKey>,
        /// The API key that took it, if any.
        acquired_by: Option<KeyId>,
    },
    /// A hold was released by a request with an idempotency key, which may come twice.
    Release {
        /// The hold that is over.
        hold: HoldKey,
        /// The mark of the request.
        idempotency_key: IdempotencyKey,
        /// Orders these rows: the lowest is forgotten first.
        number: u64,
    },
    /// A hold is over.
    Past {
        /// The row's own number, not above that of the past hold.
        slot: u64,
        /// The lock's namespace.
        namespace: Namespace,
        /// The lock's name; there need not be a lock of that name any more.
        lock_id: LockId,
        /// Who held it, and how that ended.
        past: PastHold,
    },
    /// An API key is valid.
    Key(ApiKey),
    /// Every fencing token up to this one has been given out.
    Sequence(FencingToken),
    /// An import into the store has begun. Its first batch writes this row and its last one deletes it:
    /// as long as it is there, the other rows are not all.
    Import {
        /// When it began.
        begun_at: Wall,
    },
    /// Deadlines are stored: every refresh leaves its time in the hold's row.
    StoredDeadlines {
        /// Since when, by the clock of whoever led then.
        since: Wall,
    },
}

impl Row {
    /// The row's name.
    #[must_use]
    pub fn key(&self) -> RowKey {
        match self {
            Self::Lock { namespace, lock_id, .. } => {
                RowKey::Lock(namespace.clone(), lock_id.clone())
            }
            Self::Hold { hold, .. } => RowKey::Hold(hold.clone()),
            Self::Release { hold, .. } => RowKey::Release(hold.clone()),
            Self::Past { slot, .. } => RowKey::Past(*slot),
            Self::Key(key) => RowKey::Key(key.key_id.clone()),
            Self::Sequence(_) => RowKey::Sequence,
            Self::Import { .. } => RowKey::Import,
            Self::StoredDeadlines { .. } => RowKey::StoredDeadlines,
        }
    }
}

/// What becomes of one row in a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RowWrite {
    /// The row is now this.
    Put(Row),
    /// The row is gone.
    Delete,
}

/// Rows to write at once, all or none. Each row stands in it once, as it is at the end of the batch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Batch {
    writes: BTreeMap<RowKey, RowWrite>,
}

impl Batch {
    /// The row is to be this.
    pub fn put(&mut self, row: Row) {
        self.writes.insert(row.key(), RowWrite::Put(row));
    }

    /// The row is to be gone.
    pub fn delete(&mut self, key: RowKey) {
        self.writes.insert(key, RowWrite::Delete);
    }

    /// The writes, in the order of their keys.
    pub fn writes(&self) -> impl Iterator<Item = (&RowKey, &RowWrite)> {
        self.writes.iter()
    }

    /// How many rows it writes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether it writes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_stands_once_in_a_batch_as_it_is_at_the_end() {
        let mut batch = Batch::default();
        let token = |n| FencingToken::new(n).unwrap();
        batch.put(Row::Sequence(token(1)));
        batch.put(Row::Sequence(token(2)));
        let writes: Vec<_> = batch.writes().collect();
        assert_eq!(writes, [(&RowKey::Sequence, &RowWrite::Put(Row::Sequence(token(2))))]);
        batch.delete(RowKey::Sequence);
        assert_eq!(batch.writes().collect::<Vec<_>>(), [(&RowKey::Sequence, &RowWrite::Delete)]);
    }
}
