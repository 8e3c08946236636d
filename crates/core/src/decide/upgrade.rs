//! Turn the only reader into a writer, waiting for the other readers to go if need be.

use std::time::Duration;

use super::deadlock::{self, Plan};
use super::downgrade::not_convertible;
use super::line::{self, Place, Taker};
use super::refresh::not_held;
use super::{Answer, Decision, Verdict, as_it_stands, check_open, find, quota};
use crate::change::Change;
use crate::command::{HoldKey, Mode, Terms};
use crate::id::{LockId, Namespace};
use crate::key::Quotas;
use crate::line::{Purpose, Ticket, Waiter};
use crate::origin::{Origin, RequestMark};
use crate::reply::Refusal;
use crate::table::Table;
use crate::time::Now;

/// What is asked.
pub(super) struct Asked<'a> {
    /// The hold for reading.
    pub(super) hold: &'a HoldKey,
    /// On what terms to hold it for writing.
    pub(super) terms: &'a Terms,
    /// How long to wait for the other readers to go.
    pub(super) wait: Duration,
    /// How far the caller may fill the namespace.
    pub(super) quotas: &'a Quotas,
}

pub(super) fn upgrade(
    table: &Table,
    now: Now,
    origin: &Origin,
    mark: Option<&RequestMark>,
    asked: &Asked<'_>,
) -> Result<Decision, Refusal> {
    let Asked { hold, terms, wait, quotas } = *asked;
    let lock = find(table, &hold.namespace, &hold.lock_id)?;
    table.limits().check_timeout(terms.timeout)?;
    let writer = HoldKey { mode: Mode::Write, ..hold.clone() };
    if lock.hold_of(hold).is_none() {
        return Err(not_convertible(lock, hold, &writer, now));
    }
    check_open(lock, &hold.lock_id)?;
    let upgrader = lock.upgrader().and_then(|ticket| table.waiter(ticket));
    let wants = vec![(hold.lock_id.clone(), Mode::Write)];
    let place = match upgrader {
        Some(other) if other.process_id != hold.process_id => {
            let circle = deadlock::of_two_upgraders(hold, &other.process_id);
            return Err(Refusal::Deadlock(circle));
        }
        Some(own) => Place::Queued(own.ticket),
        None => {
            let (namespace, process_id) = (&hold.namespace, &hold.process_id);
            Place::kept(table, now, namespace, process_id, Purpose::Upgrade, wants.clone())
        }
    };
    if lock.readers.len() == 1 {
        let mut changes: Vec<Change> = place.used_up().into_iter().collect();
        changes.extend(line::conversion(table, now, &Taker::of(origin), hold, Mode::Write, terms)?);
        return Ok(Decision::change(changes, Answer::Granted(vec![writer], terms.detail)));
    }
    if wait.is_zero() {
        return Err(Refusal::Held(as_it_stands(lock, &hold.lock_id, now)));
    }
    let plan = Plan {
        namespace: &hold.namespace,
        process_id: &hold.process_id,
        wants: &wants,
        purpose: Purpose::Upgrade,
        place: place.ticket(),
    };
    if let Some(cycle) = deadlock::find(table, &plan) {
        return Err(Refusal::Deadlock(cycle));
    }
    if !place.is_queued() {
        line::check_room(table, &hold.namespace, std::slice::from_ref(&writer))?;
        quota::check_waiters(table, &hold.namespace, quotas)?;
    }
    let ticket = place.ticket().unwrap_or_else(|| table.next_ticket());
    let waiter = Waiter {
        ticket,
        purpose: Purpose::Upgrade,
        namespace: hold.namespace.clone(),
        process_id: hold.process_id.clone(),
        wants,
        terms: terms.clone(),
        key_id: origin.key_id.clone(),
        mark: mark.cloned(),
        until: now.mono.plus(wait),
    };
    Ok(Decision {
        changes: vec![Change::Queued(Box::new(waiter))],
        verdict: Verdict::Waiting(ticket),
        turned_away: Vec::new(),
    })
}

/// The upgrader that lost the hold that it was to turn into one for writing (I5), and what it is told.
pub(crate) fn lapsed_upgrade(
    table: &Table,
    now: Now,
    namespace: &Namespace,
    lock_id: &LockId,
) -> Option<(Ticket, Refusal)> {
    let lock = table.lock(namespace, lock_id)?;
    let waiter = table.waiter(lock.upgrader()?)?;
    if lock.readers.contains_key(&waiter.process_id) {
        return None;
    }
    let reader = HoldKey {
        namespace: namespace.clone(),
        lock_id: lock_id.clone(),
        mode: Mode::Read,
        process_id: waiter.process_id.clone(),
    };
    Some((waiter.ticket, not_held(lock, &reader, now)))
}
