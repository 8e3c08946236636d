//! Turn a writer into a reader: immediately, and readers at the head of the queue come in with it.

use super::line::{self, Taker};
use super::refresh::not_held;
use super::{Answer, Decision, as_it_stands, check_open, find};
use crate::command::{HoldKey, Mode, Terms};
use crate::lock::{Lock, Show};
use crate::origin::Origin;
use crate::reply::Refusal;
use crate::table::Table;
use crate::time::Now;

pub(super) fn downgrade(
    table: &Table,
    now: Now,
    origin: &Origin,
    hold: &HoldKey,
    terms: &Terms,
) -> Result<Decision, Refusal> {
    let lock = find(table, &hold.namespace, &hold.lock_id)?;
    table.limits().check_timeout(terms.timeout)?;
    let reader = HoldKey { mode: Mode::Read, ..hold.clone() };
    if lock.hold_of(hold).is_none() {
        return Err(not_convertible(lock, hold, &reader, now));
    }
    check_open(lock, &hold.lock_id)?;
    if lock.writers.len() > 1 {
        // I1: the other writers exclude a reader.
        return Err(Refusal::Held(as_it_stands(lock, &hold.lock_id, now)));
    }
    let changes = line::conversion(table, now, &Taker::of(origin), hold, Mode::Read, terms)?;
    Ok(Decision::change(changes, Answer::Granted(vec![reader], terms.detail)))
}

/// Why a process cannot convert a hold that it does not have. If it has the other one, it has converted
/// it before, and must not be told that it lost the lock.
pub(super) fn not_convertible(lock: &Lock, from: &HoldKey, to: &HoldKey, now: Now) -> Refusal {
    if lock.hold_of(to).is_none() {
        return not_held(lock, from, now);
    }
    Refusal::AlreadyHeld {
        process_id: to.process_id.clone(),
        mode: to.mode,
        lock: Box::new(lock.view(&to.lock_id, now, Show::FirstAfter(to))),
    }
}
