//! Make a lock that does not exist yet.

use super::{Answer, Decision, as_it_stands, quota};
use crate::change::Change;
use crate::command::NewLock;
use crate::id::{LockId, Namespace};
use crate::key::Quotas;
use crate::reply::Refusal;
use crate::table::Table;
use crate::time::Now;

pub(super) fn create_lock(
    table: &Table,
    now: Now,
    namespace: &Namespace,
    lock_id: &LockId,
    new: NewLock,
    quotas: &Quotas,
) -> Result<Decision, Refusal> {
    let answer = Answer::Lock(namespace.clone(), lock_id.clone());
    if let Some(lock) = table.lock(namespace, lock_id) {
        if lock.is_provisional && lock.kind == new.kind {
            let (namespace, lock_id) = (namespace.clone(), lock_id.clone());
            return Ok(Decision::change(vec![Change::LockKept { namespace, lock_id }], answer));
        }
        return Err(Refusal::LockExists(as_it_stands(lock, lock_id, now)));
    }
    check_room(table, namespace, quotas, 1)?;
    let creation = Change::LockCreated {
        namespace: namespace.clone(),
        lock_id: lock_id.clone(),
        uid: new.uid,
        kind: new.kind,
        created_at: now.wall,
        updated_at: now.wall,
        is_provisional: false,
    };
    Ok(Decision::change(vec![creation], answer))
}

/// Whether the namespace has room for so many more locks (I7).
pub(super) fn check_room(
    table: &Table,
    namespace: &Namespace,
    quotas: &Quotas,
    more: usize,
) -> Result<(), Refusal> {
    let max = table.limits().max_locks_per_namespace;
    if table.lock_count(namespace) + more > max {
        return Err(Refusal::TooManyLocks { namespace: namespace.clone(), max });
    }
    quota::check_locks(table, namespace, quotas, more)
}
