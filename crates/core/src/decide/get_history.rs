//! Look at the past holds of a lock's name, the newest first. There need not be a lock of that name.

use super::{Decision, find};
use crate::id::{LockId, Namespace};
use crate::reply::{Refusal, Reply};
use crate::table::Table;
use crate::time::Now;

pub(super) fn get_history(
    table: &Table,
    now: Now,
    namespace: &Namespace,
    lock_id: &LockId,
    before: Option<u64>,
    limit: usize,
) -> Result<Decision, Refusal> {
    let limits = table.limits();
    let visible = |before| {
        let past = table.past(namespace, lock_id).into_iter();
        past.flat_map(move |past| past.newest_first(limits.max_history_per_lock, before))
            .filter(move |past| !limits.is_too_old(past.dated(), now.wall))
    };
    if visible(None).next().is_none() {
        find(table, namespace, lock_id)?;
    }
    let mut rest = visible(before);
    let past: Vec<_> = rest.by_ref().take(limit).cloned().collect();
    let next = rest.next().and(past.last()).map(|last| last.number);
    Ok(Decision::read(Reply::History { past, next }))
}
