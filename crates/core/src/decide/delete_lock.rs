//! Remove a lock that no process holds, or break it, in as many steps as its holds take.

use std::collections::BTreeSet;

use super::{Answer, Decision, STEP, as_it_stands, find};
use crate::change::{Change, EndCause};
use crate::command::{Command, HoldKey, Mode};
use crate::event::Leaving;
use crate::id::{KeyId, LockId, Namespace};
use crate::line::{Ticket, Waiter};
use crate::lock::{Lock, Show};
use crate::reply::{LockView, Refusal, Reply};
use crate::table::Table;
use crate::time::Now;

#[derive(Clone, Copy)]
pub(super) struct How {
    /// End its holds and turn its waiters away first.
    pub(super) force: bool,
    /// An earlier step has closed the lock.
    pub(super) is_begun: bool,
}

/// The reply shows the lock as it was: with `force`, who held it.
pub(super) fn delete_lock(
    table: &Table,
    now: Now,
    namespace: &Namespace,
    lock_id: &LockId,
    how: How,
    by: Option<&KeyId>,
) -> Result<Decision, Refusal> {
    let lock = find(table, namespace, lock_id)?;
    if !lock.is_idle() && !how.force {
        return Err(Refusal::NotFree(as_it_stands(lock, lock_id, now)));
    }
    let ended = holds_of(lock, namespace, lock_id);
    let is_last = ended.len() == lock.readers.len() + lock.writers.len();
    let view = as_it_was(lock, lock_id, now, &ended);
    let waiters = waiters_of(lock);
    let leave = |ticket| Change::LeftLine { ticket, why: Some(Leaving::LockDeleted) };
    let mut changes: Vec<Change> = waiters.iter().copied().map(leave).collect();
    let (cause, at) = (EndCause::Forced, now.wall);
    changes.extend(ended.into_iter().map(|hold| Change::Ended {
        hold,
        cause,
        at,
        by: by.cloned(),
    }));
    let of_lock = || (namespace.clone(), lock_id.clone());
    let mut next = None;
    if is_last {
        let ((namespace, lock_id), has_row) = (of_lock(), !lock.is_provisional);
        changes.push(Change::LockDeleted { namespace, lock_id, has_row });
    } else {
        if !how.is_begun {
            let (namespace, lock_id) = of_lock();
            changes.push(Change::LockClosed { namespace, lock_id });
        }
        let (namespace, lock_id) = of_lock();
        next = Some(Command::DeleteLock { namespace, lock_id, force: how.force, is_begun: true });
    }
    let waiters = waiters.iter().filter_map(|ticket| table.waiter(*ticket));
    let gone = |waiter: &Waiter| (waiter.ticket, Refusal::LockDeleted(lock_id.clone()));
    let turned_away = waiters.map(gone).collect();
    let answer = Answer::Ready(Box::new(Reply::Lock(view)));
    Ok(Decision { turned_away, ..Decision::step(changes, answer, next) })
}

/// As many holds of the lock as one step ends.
fn holds_of(lock: &Lock, namespace: &Namespace, lock_id: &LockId) -> Vec<HoldKey> {
    let holds = [Mode::Read, Mode::Write].into_iter().flat_map(|mode| {
        lock.holders(mode).keys().map(move |process_id| HoldKey {
            namespace: namespace.clone(),
            lock_id: lock_id.clone(),
            mode,
            process_id: process_id.clone(),
        })
    });
    holds.take(STEP).collect()
}

fn waiters_of(lock: &Lock) -> BTreeSet<Ticket> {
    let line = lock.line.iter();
    line.flat_map(|line| line.waiters.keys().copied().chain(line.upgrader)).collect()
}

/// The lock with those of its holders whose holds this step ends.
fn as_it_was(lock: &Lock, lock_id: &LockId, now: Now, ended: &[HoldKey]) -> LockView {
    let holders = |mode| {
        let ended = ended.iter().filter(move |hold| hold.mode == mode);
        ended.filter_map(|hold| Some(lock.hold_of(hold)?.view(&hold.process_id, now))).collect()
    };
    let (readers, writers) = (holders(Mode::Read), holders(Mode::Write));
    LockView { readers, writers, ..lock.view(lock_id, now, Show::First) }
}
