//! Look at who waits for whom.

use super::Decision;
use crate::command::Mode;
use crate::id::{Namespace, ProcessId};
use crate::line::{Purpose, Waiter};
use crate::lock::{HOLDERS_IN_PASSING, Lock};
use crate::reply::{Blocker, Reply, WaitView};
use crate::table::Table;
use crate::time::Now;

/// Waits that one reply shows at most.
const WAITS_IN_A_REPLY: usize = 1_000;

pub(super) fn get_waits(table: &Table, now: Now, namespace: &Namespace) -> Decision {
    let waits = table
        .waiters_of(namespace)
        .flat_map(|waiter| waiter.wants.iter().map(move |want| (waiter, want)))
        .filter_map(|(waiter, (lock_id, mode))| {
            let lock = table.lock(namespace, lock_id)?;
            Some(WaitView {
                lock_id: lock_id.clone(),
                process_id: waiter.process_id.clone(),
                mode: *mode,
                position: position(lock, waiter),
                blockers: blockers(table, lock, *mode, waiter),
                remaining: waiter.until.since(now.mono),
                note: waiter.terms.note.clone(),
            })
        })
        .take(WAITS_IN_A_REPLY);
    Decision::read(Reply::Waits(waits.collect()))
}

/// The place that a waiter has, or would have, in a lock's queue; 1 is next.
pub(crate) fn position(lock: &Lock, waiter: &Waiter) -> usize {
    match (waiter.purpose, &lock.line) {
        (Purpose::Upgrade, _) | (_, None) => 1,
        (Purpose::Acquire, Some(line)) => {
            let is_last = line.waiters.keys().next_back().is_none_or(|last| *last < waiter.ticket);
            let ahead = match is_last {
                true => line.waiters.len(),
                false => line.waiters.range(..waiter.ticket).count(),
            };
            1 + ahead + usize::from(line.upgrader.is_some())
        }
    }
}

/// The first of those whom a waiter has to wait for: holders, then those ahead in line.
pub(super) fn blockers(table: &Table, lock: &Lock, mode: Mode, waiter: &Waiter) -> Vec<Blocker> {
    let blocker = |process_id: &ProcessId, mode, is_holder| Blocker {
        process_id: process_id.clone(),
        mode,
        is_holder,
    };
    let opponents = lock.opponents(mode).keys().map(|id| blocker(id, mode.opposite(), true));
    let rivals = lock.holders(mode).keys().filter(|_| lock.is_full(mode));
    let ahead = lock.line.iter().flat_map(|line| {
        let before = match waiter.purpose {
            Purpose::Upgrade => None,
            Purpose::Acquire => Some(line.waiters.range(..waiter.ticket).map(|(t, m)| (*t, *m))),
        };
        let upgrader = line.upgrader.filter(|ticket| *ticket != waiter.ticket);
        let upgrader = upgrader.map(|ticket| (ticket, Mode::Write));
        upgrader.into_iter().chain(before.into_iter().flatten())
    });
    let ahead = ahead
        .filter_map(|(ticket, mode)| Some(blocker(&table.waiter(ticket)?.process_id, mode, false)));
    opponents
        .filter(|b| b.process_id != waiter.process_id)
        .chain(rivals.map(|id| blocker(id, mode, true)))
        .chain(ahead)
        .take(HOLDERS_IN_PASSING)
        .collect()
}
