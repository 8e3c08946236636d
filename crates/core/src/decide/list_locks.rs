//! Look through the locks of a namespace, in the order of their names.

use std::ops::Bound;

use super::Decision;
use crate::command::{ListLocks, Mode};
use crate::id::LockId;
use crate::lock::{Lock, Show};
use crate::reply::{LockView, Reply};
use crate::table::{Space, Table};
use crate::time::Now;

/// Locks that one call looks at, at most. A page may be short, or even empty, and still have a next.
const LOOKS_PER_CALL: usize = 10_000;

pub(super) fn list_locks(table: &Table, now: Now, list: &ListLocks) -> Decision {
    let mut locks: Vec<LockView> = Vec::new();
    let mut last: Option<&LockId> = None;
    let Some(space) = table.space(&list.namespace) else {
        return Decision::read(Reply::Locks { locks, next: None });
    };
    for (looks, (lock_id, lock)) in candidates(space, list).enumerate() {
        if !lock_id.as_str().starts_with(&list.prefix) {
            break;
        }
        if locks.len() == list.limit || looks == LOOKS_PER_CALL {
            return Decision::read(Reply::Locks { locks, next: last.cloned() });
        }
        last = Some(lock_id);
        if list.state.is_none_or(|state| state == lock.state()) {
            locks.push(lock.view(lock_id, now, Show::First));
        }
    }
    Decision::read(Reply::Locks { locks, next: None })
}

/// The locks from where the page begins, by name: all of them, or those that the process holds.
fn candidates<'a>(
    space: &'a Space,
    list: &ListLocks,
) -> Box<dyn Iterator<Item = (&'a LockId, &'a Lock)> + 'a> {
    let prefix = list.prefix.as_str();
    let after = list.after.as_ref().filter(|after| after.as_str() >= prefix);
    match &list.process_id {
        None => {
            let from = match after {
                Some(after) => Bound::Excluded(after.as_str()),
                None => Bound::Included(prefix),
            };
            Box::new(space.locks.range::<str, _>((from, Bound::Unbounded)))
        }
        Some(process_id) => {
            let from = match (after, LockId::parse(prefix)) {
                // It comes after whatever holds the process has of this lock.
                (Some(after), _) => Bound::Excluded((after.clone(), Mode::Write)),
                (None, Ok(first)) => Bound::Included((first, Mode::Read)),
                // No name, such as none at all or a dot: the names it begins are still to be looked for.
                (None, Err(_)) => Bound::Unbounded,
            };
            let prefix = list.prefix.clone();
            let held = space.processes.get(process_id).into_iter();
            let held =
                held.flat_map(move |claims| claims.held.range((from.clone(), Bound::Unbounded)));
            let held = held.skip_while(move |(lock_id, _)| lock_id.as_str() < prefix.as_str());
            Box::new(held.filter_map(|(lock_id, _)| space.locks.get_key_value(lock_id)))
        }
    }
}
