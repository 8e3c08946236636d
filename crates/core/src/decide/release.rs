//! Give a hold back.

use super::{Answer, Decision, as_it_stands, find};
use crate::change::{Change, EndCause};
use crate::command::{Detail, HoldKey};
use crate::reply::Refusal;
use crate::table::Table;
use crate::time::Now;

pub(super) fn release(
    table: &Table,
    now: Now,
    hold: &HoldKey,
    detail: Detail,
) -> Result<Decision, Refusal> {
    let lock = find(table, &hold.namespace, &hold.lock_id)?;
    if !lock.holders(hold.mode).contains_key(&hold.process_id) {
        return Err(Refusal::NothingToRelease {
            process_id: hold.process_id.clone(),
            mode: hold.mode,
            lock: as_it_stands(lock, &hold.lock_id, now),
        });
    }
    let change = Change::Ended { hold: hold.clone(), cause: EndCause::Released, at: now.wall };
    Ok(Decision::change(change, Answer::to_holder(hold, detail)))
}
