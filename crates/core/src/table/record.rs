//! Which rows a change leaves behind: the durable half of [`Table::apply`].

use super::Table;
use crate::change::Change;
use crate::command::HoldKey;
use crate::deadlines::Deadlines;
use crate::history::Past;
use crate::id::{LockId, Namespace};
use crate::row::{Batch, Row, RowKey};

impl Table {
    /// Notes the rows of a change that has just been applied.
    ///
    /// A grant writes its own row and the sequence. An end deletes the hold's row and writes one of
    /// history, which dates the lock; the lock's own row is written where there is no such row. A refresh
    /// that keeps the timeout's length writes nothing unless deadlines are stored, and so do lines and what
    /// a process has heard.
    pub(crate) fn record(&self, change: &Change, batch: &mut Batch) {
        match change {
            Change::LockCreated { is_provisional: true, .. } => {}
            Change::LockCreated { namespace, lock_id, is_provisional: false, .. }
            | Change::LockKept { namespace, lock_id } => {
                self.put_lock(namespace, lock_id, batch);
            }
            Change::LockDeleted { has_row: false, .. } => {}
            Change::LockDeleted { namespace, lock_id, has_row: true } => {
                batch.delete(RowKey::Lock(namespace.clone(), lock_id.clone()));
            }
            Change::Granted { hold, held } => {
                self.put_hold(hold, batch);
                batch.put(Row::Sequence(held.token));
            }
            Change::Refreshed { hold, timeout_changed, .. } => {
                if *timeout_changed || self.deadlines_kept != Deadlines::Anew {
                    self.put_hold(hold, batch);
                }
            }
            Change::Ended { hold, .. } => {
                batch.delete(RowKey::Hold(hold.clone()));
                if self.limits.keeps_history() {
                    self.put_newest_past(&hold.namespace, &hold.lock_id, batch);
                } else {
                    self.put_lock(&hold.namespace, &hold.lock_id, batch);
                }
            }
            Change::PastDropped { namespace, lock_id, slot, dates_lock } => {
                batch.delete(RowKey::Past(*slot));
                if *dates_lock {
                    self.put_lock(namespace, lock_id, batch);
                }
            }
            Change::PastRead { namespace, lock_id, .. } => {
                self.put_newest_past(namespace, lock_id, batch);
            }
            Change::Confirmed(_)
            | Change::Queued(_)
            | Change::WaitEnded { .. }
            | Change::TicketUsed(_)
            | Change::LeftLine { .. }
            | Change::LockClosed { .. }
            | Change::HoldsShown { .. }
            | Change::LossesAcknowledged { .. }
            | Change::RequestRemembered { .. }
            | Change::RequestForgotten(_)
            | Change::LossesTold { .. } => {}
            Change::ReleaseRemembered { hold, idempotency_key, number } => {
                batch.put(Row::Release {
                    hold: hold.clone(),
                    idempotency_key: idempotency_key.clone(),
                    number: *number,
                });
            }
            Change::ReleaseForgotten(hold) => batch.delete(RowKey::Release(hold.clone())),
            Change::SequenceAdvanced(token) => batch.put(Row::Sequence(*token)),
            Change::KeyCreated(key) => batch.put(Row::Key(key.clone())),
            Change::KeyLimited { key_id, limits: _ } => {
                if let Some(key) = self.keys.get(key_id) {
                    batch.put(Row::Key(key.clone()));
                }
            }
            Change::KeyRevoked(key_id) => batch.delete(RowKey::Key(key_id.clone())),
        }
    }

    pub(super) fn put_hold(&self, hold: &HoldKey, batch: &mut Batch) {
        let lock = self.lock(&hold.namespace, &hold.lock_id);
        if let Some(held) = lock.and_then(|lock| lock.hold_of(hold)) {
            batch.put(Row::Hold {
                hold: hold.clone(),
                token: held.token,
                timeout: held.timeout,
                acquired_at: held.acquired_at,
                renewed_at: held.renewed_at,
                note: held.note.clone(),
                idempotency_key: held.idempotency_key.clone(),
                acquired_by: held.acquired_by.clone(),
            });
        }
    }

    fn put_newest_past(&self, namespace: &Namespace, lock_id: &LockId, batch: &mut Batch) {
        if let Some(kept) = self.past(namespace, lock_id).and_then(Past::newest) {
            batch.put(Row::Past {
                slot: kept.slot,
                namespace: namespace.clone(),
                lock_id: lock_id.clone(),
                past: kept.past.clone(),
            });
        }
    }

    fn put_lock(&self, namespace: &Namespace, lock_id: &LockId, batch: &mut Batch) {
        if let Some(lock) = self.lock(namespace, lock_id) {
            batch.put(Row::Lock {
                namespace: namespace.clone(),
                lock_id: lock_id.clone(),
                uid: lock.uid,
                kind: lock.kind,
                created_at: lock.created_at,
                updated_at: lock.updated_at,
            });
        }
    }
}
