//! Start a hold's timeout anew. Never acquires (I5).

use super::{Answer, Decision, as_it_stands, find};
use crate::change::Change;
use crate::command::{Detail, HoldKey};
use crate::reply::Refusal;
use crate::table::Table;
use crate::time::{Now, TimeoutSecs};

pub(super) fn refresh(
    table: &Table,
    now: Now,
    hold: &HoldKey,
    timeout: TimeoutSecs,
    detail: Detail,
) -> Result<Decision, Refusal> {
    let lock = find(table, &hold.namespace, &hold.lock_id)?;
    table.limits().check_timeout(timeout)?;
    let Some(held) = lock.holders(hold.mode).get(&hold.process_id) else {
        return Err(Refusal::NotHeld {
            process_id: hold.process_id.clone(),
            mode: hold.mode,
            lock: as_it_stands(lock, &hold.lock_id, now),
        });
    };
    let change = Change::Refreshed {
        hold: hold.clone(),
        timeout,
        deadline: now.mono.plus(timeout.span()),
        timeout_changed: held.timeout != timeout,
    };
    Ok(Decision::change(change, Answer::to_holder(hold, detail)))
}
