//! Look at a lock.

use super::{Answer, Decision, find};
use crate::id::{LockId, Namespace};
use crate::reply::Refusal;
use crate::table::Table;

pub(super) fn get_lock(
    table: &Table,
    namespace: &Namespace,
    lock_id: &LockId,
) -> Result<Decision, Refusal> {
    find(table, namespace, lock_id)?;
    Ok(Decision::change(Vec::new(), Answer::Lock(namespace.clone(), lock_id.clone())))
}
