//! Start a hold's timeout anew. Never acquires (I5).

use super::{Answer, Decision, as_it_stands, find};
use crate::change::Change;
use crate::command::{Detail, HoldKey};
use crate::lock::{Hold, Lock};
use crate::reply::Refusal;
use crate::table::Table;
use crate::time::{Now, TimeoutSecs};
use crate::token::FencingToken;

pub(super) fn refresh(
    table: &Table,
    now: Now,
    hold: &HoldKey,
    token: Option<FencingToken>,
    timeout: TimeoutSecs,
    detail: Detail,
) -> Result<Decision, Refusal> {
    let lock = find(table, &hold.namespace, &hold.lock_id)?;
    table.limits().check_timeout(timeout)?;
    let Some(held) = lock.hold_of(hold) else {
        return Err(not_held(lock, hold, now));
    };
    check_token(lock, hold, held, token, now)?;
    let changes = vec![fresh(now, hold, held, timeout)];
    Ok(Decision::change(changes, Answer::Hold(hold.clone(), detail)))
}

pub(super) fn not_held(lock: &Lock, hold: &HoldKey, now: Now) -> Refusal {
    Refusal::NotHeld {
        process_id: hold.process_id.clone(),
        mode: hold.mode,
        lock: as_it_stands(lock, &hold.lock_id, now),
    }
}

pub(super) fn fresh(now: Now, hold: &HoldKey, held: &Hold, timeout: TimeoutSecs) -> Change {
    Change::Refreshed {
        hold: hold.clone(),
        timeout,
        renewed_at: now.wall,
        deadline: now.mono.plus(timeout.span()),
        timeout_changed: held.timeout != timeout,
    }
}

/// Whether the hold is the one that the caller means.
pub(super) fn check_token(
    lock: &Lock,
    hold: &HoldKey,
    held: &Hold,
    token: Option<FencingToken>,
    now: Now,
) -> Result<(), Refusal> {
    match token {
        Some(given) if given != held.token => Err(Refusal::StaleToken {
            given,
            current: held.token,
            lock: as_it_stands(lock, &hold.lock_id, now),
        }),
        Some(_) | None => Ok(()),
    }
}
