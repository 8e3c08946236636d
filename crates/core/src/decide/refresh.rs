//! Start a hold's timeout anew. Never acquires (I5).

use super::{Answer, Decision, as_it_stands};
use crate::change::Change;
use crate::command::{Detail, HoldKey};
use crate::history::PastHold;
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
    let Some(lock) = table.lock(&hold.namespace, &hold.lock_id) else {
        return Err(lock_gone(table, now, hold, token));
    };
    table.limits().check_timeout(timeout)?;
    let Some(held) = lock.hold_of(hold) else {
        return Err(not_held(lock, hold, now));
    };
    check_token(lock, hold, held, token, now)?;
    let changes = vec![fresh(now, hold, held, timeout)];
    Ok(Decision::change(changes, Answer::Hold(hold.clone(), detail)))
}

/// How the hold ended, if history knows. A caller that had it must not be told to create the lock.
fn lock_gone(table: &Table, now: Now, hold: &HoldKey, token: Option<FencingToken>) -> Refusal {
    let limits = table.limits();
    let is_meant = |past: &&PastHold| {
        (&past.process_id, past.mode) == (&hold.process_id, hold.mode)
            && token.is_none_or(|token| token == past.token)
            && !limits.is_too_old(past.dated(), now.wall)
    };
    let past = table.past(&hold.namespace, &hold.lock_id);
    let past =
        past.and_then(|past| past.newest_first(limits.max_history_per_lock, None).find(is_meant));
    match past {
        Some(past) => {
            Refusal::HoldOver { hold: hold.clone(), token: past.token, cause: past.cause }
        }
        None => Refusal::NoSuchLock(hold.lock_id.clone()),
    }
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
