//! What time itself brings about: holds that expire and waits that end. Costs what is due, however many
//! locks there are.

use super::as_it_stands;
use super::get_waits::{blockers, position};
use crate::change::{Change, EndCause};
use crate::limits::GRACE;
use crate::line::{Ticket, Waiter};
use crate::reply::Refusal;
use crate::table::Table;
use crate::time::Now;

/// The next thing that time brings about.
pub(crate) enum Due {
    /// A hold's timeout has passed.
    Expiry(Change),
    /// A wait has ended without a grant.
    WaitEnd {
        /// The place.
        ticket: Ticket,
        /// What changes.
        change: Change,
        /// What the caller is told.
        refusal: Refusal,
    },
}

/// The earliest thing that is due, if any: in the order of their times, so that a hold that expired
/// before a wait ended is still granted to that waiter.
pub(crate) fn next_due(table: &Table, now: Now) -> Option<Due> {
    let expiry = table.next_expiry().filter(|at| *at <= now.mono);
    let wait_end = table.next_wait_end().filter(|(at, _)| *at <= now.mono);
    match (expiry, wait_end) {
        (None, None) => None,
        (Some(expires), Some((ends, ticket))) if ends < expires => wait_ends(table, now, ticket),
        (None, Some((_, ticket))) => wait_ends(table, now, ticket),
        (Some(_), _) => {
            let hold = table.next_to_expire()?.clone();
            let (cause, at) = (EndCause::Expired, now.wall);
            Some(Due::Expiry(Change::Ended { hold, cause, at, by: None }))
        }
    }
}

fn wait_ends(table: &Table, now: Now, ticket: Ticket) -> Option<Due> {
    let waiter = table.waiter(ticket)?;
    Some(Due::WaitEnd {
        ticket,
        change: Change::WaitEnded { ticket, kept_until: now.mono.plus(GRACE) },
        refusal: timed_out(table, now, waiter)?,
    })
}

/// Shows the lock that keeps the waiter longest: the one where it is furthest back, and of several
/// such one that has no room.
fn timed_out(table: &Table, now: Now, waiter: &Waiter) -> Option<Refusal> {
    let in_lines = waiter.holds().filter_map(|hold| {
        let lock = table.lock(&hold.namespace, &hold.lock_id)?;
        Some((position(lock, waiter), hold, lock))
    });
    let (position, hold, lock) =
        in_lines.max_by_key(|(position, hold, lock)| (*position, !lock.admits(hold.mode)))?;
    Some(Refusal::WaitTimedOut {
        position,
        blockers: blockers(table, lock, hold.mode, waiter),
        lock: as_it_stands(lock, &hold.lock_id, now),
    })
}
