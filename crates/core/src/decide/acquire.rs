//! Take holds: one, or several at once, all or none; at once, or in line.

use super::create_lock::check_room;
use super::deadlock::{self, Plan};
use super::line::{self, Place, Room, Taker};
use super::{Answer, Decision, Verdict, as_it_stands, check_open, find, quota};
use crate::change::Change;
use crate::command::{Acquire, HoldKey, Mode, Want};
use crate::id::LockId;
use crate::line::{Purpose, Ticket, Waiter};
use crate::lock::{Hold, Lock, Show};
use crate::origin::{Origin, RequestMark};
use crate::reply::Refusal;
use crate::table::Table;
use crate::time::Now;

pub(super) fn acquire(
    table: &Table,
    now: Now,
    origin: &Origin,
    mark: Option<&RequestMark>,
    acquire: &Acquire,
) -> Result<Decision, Refusal> {
    let created = missing(table, now, acquire)?;
    table.limits().check_timeout(acquire.terms.timeout)?;
    let holds = acquire.holds();
    if is_replay(table, now, origin, &holds)? {
        let changes = holds.iter().cloned().map(Change::Confirmed).collect();
        return Ok(Decision::change(changes, Answer::Granted(holds, acquire.terms.detail)));
    }
    let wants: Vec<_> = holds.iter().map(|h| (h.lock_id.clone(), h.mode)).collect();
    let place = place_of(table, now, acquire, &holds, &wants)?;
    let ticket = place.ticket();
    let creations = |is_provisional| {
        let created = created.iter().filter_map(|want| Some((want, want.create_if_missing?)));
        created.map(move |(want, new)| Change::LockCreated {
            namespace: acquire.namespace.clone(),
            lock_id: want.lock_id.clone(),
            uid: new.uid,
            kind: new.kind,
            created_at: now.wall,
            updated_at: now.wall,
            is_provisional,
        })
    };
    let mut changes = Vec::new();
    match first_obstacle(table, &holds, ticket)? {
        None => {
            if !place.is_queued() {
                quota::check_holds(table, &acquire.namespace, &acquire.quotas, holds.len())?;
            }
            changes.extend(creations(false));
            changes.extend(place.used_up());
            changes.extend(line::grants(table, now, &Taker::of(origin), &holds, &acquire.terms)?);
            Ok(Decision::change(changes, Answer::Granted(holds, acquire.terms.detail)))
        }
        Some(obstacle) if acquire.wait.is_zero() => Err(refusal(table, now, obstacle)),
        Some(_) => {
            let plan = Plan {
                namespace: &acquire.namespace,
                process_id: &acquire.process_id,
                wants: &wants,
                purpose: Purpose::Acquire,
                place: ticket,
            };
            if let Some(cycle) = deadlock::find(table, &plan) {
                return Err(Refusal::Deadlock(cycle));
            }
            if !place.is_queued() {
                line::check_room(table, &acquire.namespace, &holds)?;
                quota::check_waiters(table, &acquire.namespace, &acquire.quotas)?;
                quota::check_holds(table, &acquire.namespace, &acquire.quotas, holds.len())?;
            }
            let ticket = ticket.unwrap_or_else(|| table.next_ticket());
            changes.extend(creations(true));
            changes.push(Change::Queued(Box::new(Waiter {
                ticket,
                purpose: Purpose::Acquire,
                namespace: acquire.namespace.clone(),
                process_id: acquire.process_id.clone(),
                wants,
                terms: acquire.terms.clone(),
                key_id: origin.key_id.clone(),
                mark: mark.cloned(),
                until: now.mono.plus(acquire.wait),
            })));
            Ok(Decision { changes, verdict: Verdict::Waiting(ticket), turned_away: Vec::new() })
        }
    }
}

/// The wanted locks that have to be made first.
fn missing<'a>(table: &Table, now: Now, acquire: &'a Acquire) -> Result<Vec<&'a Want>, Refusal> {
    for want in &acquire.wants {
        if let Some(lock) = table.lock(&acquire.namespace, &want.lock_id) {
            check_open(lock, &want.lock_id)?;
            check_kind(lock, want, now)?;
        }
    }
    let missing: Vec<&Want> = acquire
        .wants
        .iter()
        .filter(|want| table.lock(&acquire.namespace, &want.lock_id).is_none())
        .collect();
    if let Some(want) = missing.iter().find(|want| want.create_if_missing.is_none()) {
        return Err(Refusal::NoSuchLock(want.lock_id.clone()));
    }
    if !missing.is_empty() {
        check_room(table, &acquire.namespace, &acquire.quotas, missing.len())?;
    }
    Ok(missing)
}

/// Two versions of a program that want different locks under one name must not share it silently.
fn check_kind(lock: &Lock, want: &Want, now: Now) -> Result<(), Refusal> {
    match want.create_if_missing {
        Some(new) if new.must_match && new.kind != lock.kind => Err(Refusal::LockDiffers {
            wanted: new.kind,
            lock: as_it_stands(lock, &want.lock_id, now),
        }),
        Some(_) | None => Ok(()),
    }
}

/// Whether the process has all of it already from this very request, sent twice. Holding some of it
/// otherwise is a refusal.
fn is_replay(table: &Table, now: Now, origin: &Origin, holds: &[HoldKey]) -> Result<bool, Refusal> {
    let held = |hold: &HoldKey| table.lock(&hold.namespace, &hold.lock_id)?.hold_of(hold);
    let of_this_request = |held: &Hold| {
        origin.idempotency_key.is_some() && held.idempotency_key == origin.idempotency_key
    };
    if holds.iter().all(|hold| held(hold).is_some_and(of_this_request)) {
        return Ok(true);
    }
    match holds.iter().find(|hold| held(hold).is_some()) {
        Some(hold) => {
            let lock = find(table, &hold.namespace, &hold.lock_id)?;
            Err(Refusal::AlreadyHeld {
                process_id: hold.process_id.clone(),
                mode: hold.mode,
                lock: Box::new(lock.view(&hold.lock_id, now, Show::FirstAfter(hold))),
            })
        }
        None => Ok(false),
    }
}

/// The caller's place, if it has sent the same request before.
fn place_of(
    table: &Table,
    now: Now,
    acquire: &Acquire,
    holds: &[HoldKey],
    wants: &[(LockId, Mode)],
) -> Result<Place, Refusal> {
    let Acquire { namespace, process_id, .. } = acquire;
    let claims = table.claims(namespace, process_id);
    let wanted = |hold: &HoldKey| claims?.wanted.get(&(hold.lock_id.clone(), hold.mode));
    let Some((hold, ticket)) = holds.iter().find_map(|hold| Some((hold, wanted(hold)?))) else {
        let purpose = Purpose::Acquire;
        return Ok(Place::kept(table, now, namespace, process_id, purpose, wants.to_vec()));
    };
    let is_same = |waiter: &Waiter| {
        waiter.purpose == Purpose::Acquire
            && waiter.wants.len() == holds.len()
            && holds.iter().all(|hold| wanted(hold) == Some(ticket))
    };
    if table.waiter(*ticket).is_some_and(is_same) {
        return Ok(Place::Queued(*ticket));
    }
    Err(Refusal::AlreadyWaiting {
        process_id: acquire.process_id.clone(),
        lock_id: hold.lock_id.clone(),
    })
}

/// The first wanted lock that cannot be taken now: it has no room, or others are before the caller.
fn first_obstacle<'a>(
    table: &Table,
    holds: &'a [HoldKey],
    ticket: Option<Ticket>,
) -> Result<Option<&'a HoldKey>, Refusal> {
    for hold in holds {
        let Some(lock) = table.lock(&hold.namespace, &hold.lock_id) else { continue };
        match line::room(lock, hold.mode, ticket, table.limits()) {
            Room::Free => {}
            Room::Taken | Room::Promised => return Ok(Some(hold)),
            Room::None { max } => return Err(Refusal::TooManyHolders { max }),
        }
    }
    Ok(None)
}

fn refusal(table: &Table, now: Now, obstacle: &HoldKey) -> Refusal {
    match table.lock(&obstacle.namespace, &obstacle.lock_id) {
        Some(lock) => Refusal::Held(as_it_stands(lock, &obstacle.lock_id, now)),
        None => Refusal::NoSuchLock(obstacle.lock_id.clone()),
    }
}
