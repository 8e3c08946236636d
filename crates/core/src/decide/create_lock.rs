//! Make a lock that does not exist yet.

use super::{Answer, Decision, as_it_stands};
use crate::change::Change;
use crate::id::{LockId, LockUid, Namespace};
use crate::reply::Refusal;
use crate::table::Table;
use crate::time::Now;

pub(super) fn create_lock(
    table: &Table,
    now: Now,
    namespace: &Namespace,
    lock_id: &LockId,
    uid: LockUid,
    is_write_exclusive: bool,
) -> Result<Decision, Refusal> {
    if let Some(lock) = table.lock(namespace, lock_id) {
        return Err(Refusal::LockExists(as_it_stands(lock, lock_id, now)));
    }
    let max = table.limits().max_locks_per_namespace;
    if table.lock_count(namespace) >= max {
        return Err(Refusal::TooManyLocks { namespace: namespace.clone(), max });
    }
    let change = Change::LockCreated {
        namespace: namespace.clone(),
        lock_id: lock_id.clone(),
        uid,
        is_write_exclusive,
        created_at: now.wall,
        updated_at: now.wall,
    };
    Ok(Decision::change(change, Answer::Lock(namespace.clone(), lock_id.clone())))
}
