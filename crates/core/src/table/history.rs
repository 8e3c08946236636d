//! The history of all locks together: what bounds it in all, and which part of it goes first.

use std::collections::BTreeMap;

use super::{Space, Table};
use crate::history::{Kept, Past};
use crate::id::{LockId, Namespace};
use crate::time::Wall;

/// What all pasts add up to. The past holds themselves are with their locks, or, once a lock is gone,
/// with its namespace.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Every name that has a past, by the number of its oldest past hold.
    oldest: BTreeMap<u64, Oldest>,
    /// Past holds in all.
    len: usize,
    /// The highest number that was given out.
    last_number: u64,
    /// The row that was given up last. It is written anew rather than deleted, and another one made.
    spare_slot: Option<u64>,
}

/// The oldest past hold of a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Oldest {
    pub(crate) namespace: Namespace,
    pub(crate) lock_id: LockId,
    pub(crate) slot: u64,
    pub(crate) dated: Wall,
}

impl Oldest {
    pub(super) fn of(namespace: &Namespace, lock_id: &LockId, kept: &Kept) -> Self {
        Self {
            namespace: namespace.clone(),
            lock_id: lock_id.clone(),
            slot: kept.slot,
            dated: kept.past.dated(),
        }
    }
}

impl History {
    /// Past holds in all.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The oldest past hold of all.
    pub(crate) fn oldest(&self) -> Option<&Oldest> {
        self.oldest.first_key_value().map(|(_, oldest)| oldest)
    }

    pub(super) fn oldest_of_each(&self) -> &BTreeMap<u64, Oldest> {
        &self.oldest
    }

    /// The slot and the number of the past hold that comes next. A number is new, and no slot is above
    /// the highest number, so a number names a row that does not exist.
    pub(super) fn next_place(&mut self) -> (u64, u64) {
        let number = self.last_number + 1;
        (self.spare_slot.take().unwrap_or(number), number)
    }

    /// Counts a past hold that its lock has kept; `first` if it is the only one of its name.
    pub(super) fn added(&mut self, number: u64, first: Option<Oldest>) {
        self.len += 1;
        self.last_number = self.last_number.max(number);
        self.oldest.extend(first.map(|first| (number, first)));
    }

    /// Forgets a past hold that was the oldest of its name, and goes on with the `next` of that name.
    fn dropped(&mut self, dropped: &Kept, next: Option<&Kept>) {
        self.len -= 1;
        self.spare_slot = Some(dropped.slot);
        let before = self.oldest.remove(&dropped.past.number);
        if let (Some(before), Some(next)) = (before, next) {
            let (slot, dated) = (next.slot, next.past.dated());
            self.oldest.insert(next.past.number, Oldest { slot, dated, ..before });
        }
    }
}

impl Space {
    /// The past holds of a name, whether or not there is a lock of that name now.
    pub(crate) fn past(&self, lock_id: &LockId) -> Option<&Past> {
        match self.locks.get(lock_id) {
            Some(lock) => lock.past.as_deref(),
            None => self.bygone.get(lock_id).map(Box::as_ref),
        }
    }
}

impl Table {
    /// The past holds of a name, whether or not there is a lock of that name now.
    pub(crate) fn past(&self, namespace: &Namespace, lock_id: &LockId) -> Option<&Past> {
        self.space(namespace)?.past(lock_id)
    }

    /// Puts back what a row has kept, and dates the lock by it.
    pub(super) fn read_past(&mut self, namespace: &Namespace, lock_id: &LockId, kept: Kept) {
        let number = kept.past.number;
        let space = self.spaces.entry(namespace.clone()).or_default();
        let oldest = Oldest::of(namespace, lock_id, &kept);
        let is_first = match space.locks.get_mut(lock_id) {
            Some(lock) => {
                lock.updated_at = lock.updated_at.max(kept.past.dated());
                keep(&mut lock.past, kept)
            }
            None => {
                let mut past = space.bygone.remove(lock_id);
                let is_first = keep(&mut past, kept);
                space.bygone.extend(past.map(|past| (lock_id.clone(), past)));
                is_first
            }
        };
        self.history.added(number, is_first.then_some(oldest));
    }

    /// Forgets the oldest past hold of a name.
    pub(super) fn drop_oldest(&mut self, namespace: &Namespace, lock_id: &LockId) {
        let Some(space) = self.spaces.get_mut(namespace) else { return };
        if let Some(lock) = space.locks.get_mut(lock_id) {
            let dropped = drop_first(&mut lock.past);
            let next = lock.past.as_ref().and_then(|past| past.oldest());
            dropped.iter().for_each(|dropped| self.history.dropped(dropped, next));
        } else {
            let mut past = space.bygone.remove(lock_id);
            let dropped = drop_first(&mut past);
            let next = past.as_ref().and_then(|past| past.oldest());
            dropped.iter().for_each(|dropped| self.history.dropped(dropped, next));
            space.bygone.extend(past.map(|past| (lock_id.clone(), past)));
        }
    }
}

/// Adds the newest past hold of a name. True if it is the only one.
pub(super) fn keep(past: &mut Option<Box<Past>>, kept: Kept) -> bool {
    match past {
        Some(past) => {
            past.push(kept);
            false
        }
        None => {
            *past = Some(Box::new(Past::new(kept)));
            true
        }
    }
}

fn drop_first(past: &mut Option<Box<Past>>) -> Option<Kept> {
    let dropped = past.as_mut()?.pop_oldest();
    past.take_if(|past| past.is_empty());
    dropped
}
