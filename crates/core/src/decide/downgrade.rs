//! Turn a writer into a reader: at once, and readers at the head of the line come in with it.

use super::refresh::not_held;
use super::{Answer, Decision, as_it_stands, find, line};
use crate::command::{HoldKey, Mode, Terms};
use crate::reply::Refusal;
use crate::table::Table;
use crate::time::Now;

pub(super) fn downgrade(
    table: &Table,
    now: Now,
    hold: &HoldKey,
    terms: &Terms,
) -> Result<Decision, Refusal> {
    let lock = find(table, &hold.namespace, &hold.lock_id)?;
    table.limits().check_timeout(terms.timeout)?;
    if lock.hold_of(hold).is_none() {
        return Err(not_held(lock, hold, now));
    }
    if lock.writers.len() > 1 {
        // I1: the other writers exclude a reader.
        return Err(Refusal::Held(as_it_stands(lock, &hold.lock_id, now)));
    }
    let changes = line::conversion(table, now, hold, Mode::Read, terms)?;
    let reader = HoldKey { mode: Mode::Read, ..hold.clone() };
    Ok(Decision::change(changes, Answer::Granted(vec![reader], terms.detail)))
}
