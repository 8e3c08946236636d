//! Which rows a change leaves behind: the durable half of [`Table::apply`].

use super::Table;
use crate::change::Change;
use crate::command::HoldKey;
use crate::id::{LockId, Namespace};
use crate::row::{Batch, Row, RowKey};

impl Table {
    /// Notes the rows of a change that has just been applied.
    ///
    /// A grant writes its own row and the sequence; an end deletes the hold's row and dates the
    /// lock's. A refresh that keeps the timeout's length writes nothing.
    pub(super) fn record(&self, change: &Change, batch: &mut Batch) {
        match change {
            Change::LockCreated { namespace, lock_id, .. } => {
                batch.put(self.lock_row(namespace, lock_id));
            }
            Change::Granted { hold, token, .. } => {
                self.put_hold(hold, batch);
                batch.put(Row::Sequence(*token));
            }
            Change::Refreshed { hold, timeout_changed, .. } => {
                if *timeout_changed {
                    self.put_hold(hold, batch);
                }
            }
            Change::Ended { hold, .. } => {
                batch.delete(RowKey::Hold(hold.clone()));
                batch.put(self.lock_row(&hold.namespace, &hold.lock_id));
            }
            Change::SequenceAdvanced(token) => batch.put(Row::Sequence(*token)),
            Change::KeyCreated(key) => batch.put(Row::Key(key.clone())),
            Change::KeyRevoked(key_id) => batch.delete(RowKey::Key(key_id.clone())),
        }
    }

    fn put_hold(&self, hold: &HoldKey, batch: &mut Batch) {
        let lock = self.known(&hold.namespace, &hold.lock_id);
        if let Some(held) = lock.holders(hold.mode).get(&hold.process_id) {
            batch.put(Row::Hold {
                hold: hold.clone(),
                token: held.token,
                timeout: held.timeout,
                acquired_at: held.acquired_at,
            });
        }
    }

    fn lock_row(&self, namespace: &Namespace, lock_id: &LockId) -> Row {
        let lock = self.known(namespace, lock_id);
        Row::Lock {
            namespace: namespace.clone(),
            lock_id: lock_id.clone(),
            uid: lock.uid,
            is_write_exclusive: lock.is_write_exclusive,
            created_at: lock.created_at,
            updated_at: lock.updated_at,
        }
    }
}
