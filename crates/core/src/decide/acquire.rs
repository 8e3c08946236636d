//! Take a hold.

use super::{Answer, Decision, as_it_stands, find, own_as_it_stands};
use crate::change::Change;
use crate::command::{Detail, HoldKey};
use crate::reply::Refusal;
use crate::table::Table;
use crate::time::{Now, TimeoutSecs};

pub(super) fn acquire(
    table: &Table,
    now: Now,
    hold: &HoldKey,
    timeout: TimeoutSecs,
    detail: Detail,
) -> Result<Decision, Refusal> {
    let lock = find(table, &hold.namespace, &hold.lock_id)?;
    table.limits().check_timeout(timeout)?;
    let holders = lock.holders(hold.mode);
    if holders.contains_key(&hold.process_id) {
        return Err(Refusal::AlreadyHeld {
            process_id: hold.process_id.clone(),
            mode: hold.mode,
            lock: own_as_it_stands(lock, hold, now),
        });
    }
    if lock.excludes(hold.mode) {
        return Err(Refusal::Held(as_it_stands(lock, &hold.lock_id, now)));
    }
    let max = table.limits().max_holders_per_lock;
    if holders.len() >= max {
        return Err(Refusal::TooManyHolders { max });
    }
    let token = table.last_token().next().ok_or(Refusal::TokensExhausted)?;
    let change = Change::Granted {
        hold: hold.clone(),
        token,
        timeout,
        acquired_at: now.wall,
        deadline: now.mono.plus(timeout.span()),
    };
    Ok(Decision::change(change, Answer::to_holder(hold, detail)))
}
