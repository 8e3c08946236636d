//! Take a grant back whose caller is gone: nothing is held for nobody.

use crate::change::{Change, EndCause};
use crate::command::HoldKey;
use crate::table::Table;
use crate::time::Now;
use crate::token::FencingToken;

/// The end of the hold that was granted with this token, unless its process is known to have heard of it.
pub(crate) fn give_back(
    table: &Table,
    now: Now,
    hold: &HoldKey,
    token: FencingToken,
) -> Option<Change> {
    let held = table.lock(&hold.namespace, &hold.lock_id)?.hold_of(hold)?;
    let is_unheard_of = held.token == token && !held.is_confirmed;
    is_unheard_of.then(|| Change::Ended {
        hold: hold.clone(),
        cause: EndCause::Released,
        at: now.wall,
        by: None,
    })
}
