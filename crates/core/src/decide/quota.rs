//! How far the key of a call lets it fill its namespace (I7). Looked at once, when a call is decided:
//! whoever stands in line has its holds counted already, so that its turn is never held up or lost (I6).

use crate::id::Namespace;
use crate::key::Quotas;
use crate::reply::{Quota, Refusal};
use crate::table::Table;

pub(super) fn check_locks(
    table: &Table,
    namespace: &Namespace,
    quotas: &Quotas,
    more: usize,
) -> Result<(), Refusal> {
    check(table, namespace, Quota::Locks, quotas.max_locks, more)
}

pub(super) fn check_holds(
    table: &Table,
    namespace: &Namespace,
    quotas: &Quotas,
    more: usize,
) -> Result<(), Refusal> {
    check(table, namespace, Quota::Holds, quotas.max_holds, more)
}

pub(super) fn check_waiters(
    table: &Table,
    namespace: &Namespace,
    quotas: &Quotas,
) -> Result<(), Refusal> {
    check(table, namespace, Quota::Waiters, quotas.max_waiters, 1)
}

fn check(
    table: &Table,
    namespace: &Namespace,
    quota: Quota,
    max: Option<u32>,
    more: usize,
) -> Result<(), Refusal> {
    let Some(max) = max else { return Ok(()) };
    let count = table.space(namespace).map_or(0, |space| match quota {
        Quota::Locks => space.locks.len(),
        Quota::Holds => space.holds + space.wanted,
        Quota::Waiters => space.waiters,
    });
    if u32::try_from(count + more).is_ok_and(|count| count <= max) {
        return Ok(());
    }
    Err(Refusal::QuotaExceeded { quota, max, count, more })
}
