//! What history forgets when a hold ends. Costs the same however much is kept.

use crate::change::Change;
use crate::command::HoldKey;
use crate::id::{LockId, Namespace};
use crate::table::Table;
use crate::time::Wall;

/// Before `hold` ends: the past hold that has to go, if any. The lock's own oldest if the lock has as
/// many as it may; else the oldest of all, if there are as many as there may be or it is too old.
pub(crate) fn next_outdated(table: &Table, hold: &HoldKey, now: Wall) -> Option<Change> {
    let (limits, history) = (table.limits(), table.history());
    let coming = usize::from(limits.keeps_history());
    let own = table.past(&hold.namespace, &hold.lock_id);
    let own = own.filter(|own| own.len() + coming > limits.max_history_per_lock);
    if let Some(oldest) = own.and_then(|own| own.oldest()) {
        let (namespace, lock_id) = (hold.namespace.clone(), hold.lock_id.clone());
        let dated = oldest.past.dated();
        let is_dated_anew = coming > 0 && dated <= now;
        let dates_lock = !is_dated_anew && dates_lock(table, &namespace, &lock_id, dated);
        return Some(Change::PastDropped { namespace, lock_id, slot: oldest.slot, dates_lock });
    }
    let oldest = history.oldest()?;
    let is_surplus = coming == 0 || history.len() + coming > limits.max_history;
    (is_surplus || limits.is_too_old(oldest.dated, now)).then(|| Change::PastDropped {
        namespace: oldest.namespace.clone(),
        lock_id: oldest.lock_id.clone(),
        slot: oldest.slot,
        dates_lock: dates_lock(table, &oldest.namespace, &oldest.lock_id, oldest.dated),
    })
}

/// Whether the lock was touched last when its oldest past hold is dated, and not also by its newest.
fn dates_lock(table: &Table, namespace: &Namespace, lock_id: &LockId, dated: Wall) -> bool {
    table.lock(namespace, lock_id).is_some_and(|lock| {
        let past = lock.past.as_ref().filter(|past| past.len() > 1);
        let newest = past.and_then(|past| past.newest());
        lock.updated_at <= dated && newest.is_none_or(|newest| newest.past.dated() < dated)
    })
}
