//! Remove a lock that nobody holds, or break it.

use std::collections::BTreeSet;

use super::{Answer, Decision, Verdict, as_it_stands, find};
use crate::change::{Change, EndCause};
use crate::command::{HoldKey, Mode};
use crate::event::Leaving;
use crate::id::{KeyId, LockId, Namespace};
use crate::line::Waiter;
use crate::lock::Show;
use crate::reply::{Refusal, Reply};
use crate::table::Table;
use crate::time::Now;

/// The reply shows the lock as it was: with `force`, who held it.
pub(super) fn delete_lock(
    table: &Table,
    now: Now,
    namespace: &Namespace,
    lock_id: &LockId,
    force: bool,
    by: Option<&KeyId>,
) -> Result<Decision, Refusal> {
    let lock = find(table, namespace, lock_id)?;
    if !lock.is_idle() && !force {
        return Err(Refusal::NotFree(as_it_stands(lock, lock_id, now)));
    }
    let line = lock.line.iter();
    let tickets: BTreeSet<_> =
        line.flat_map(|line| line.waiters.keys().copied().chain(line.upgrader)).collect();
    let ends = [Mode::Read, Mode::Write].into_iter().flat_map(|mode| {
        lock.holders(mode).keys().map(move |process_id| Change::Ended {
            hold: HoldKey {
                namespace: namespace.clone(),
                lock_id: lock_id.clone(),
                mode,
                process_id: process_id.clone(),
            },
            cause: EndCause::Forced,
            at: now.wall,
            by: by.cloned(),
        })
    });
    let leave = |ticket| Change::LeftLine { ticket, why: Some(Leaving::LockDeleted) };
    let mut changes: Vec<Change> = tickets.iter().copied().map(leave).collect();
    changes.extend(ends);
    changes.push(Change::LockDeleted { namespace: namespace.clone(), lock_id: lock_id.clone() });
    let as_it_was = Reply::Lock(lock.view(lock_id, now, Show::All));
    let waiters = tickets.iter().filter_map(|ticket| table.waiter(*ticket));
    let gone = |waiter: &Waiter| (waiter.ticket, Refusal::NoSuchLock(lock_id.clone()));
    Ok(Decision {
        changes,
        verdict: Verdict::Granted(Answer::Ready(Box::new(as_it_was))),
        turned_away: waiters.map(gone).collect(),
    })
}
