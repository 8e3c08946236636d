//! Take a grant back whose client is gone: no hold is kept for a client that never heard of it.

use crate::change::{Change, EndCause};
use crate::command::HoldKey;
use crate::table::Table;
use crate::time::Now;
use crate::token::FencingToken;

/// The end of the hold that was granted with this token, unless its process may have heard of it: by an
/// answer that named it, or by any other reply or event that showed it. The request counts as not
/// carried out, so that the client can send it again.
pub(crate) fn give_back(
    table: &Table,
    now: Now,
    hold: &HoldKey,
    token: FencingToken,
) -> Option<[Change; 2]> {
    let lock = table.lock(&hold.namespace, &hold.lock_id)?;
    let held = lock.hold_of(hold)?;
    let is_known = held.is_confirmed || token <= table.shown_up_to(hold);
    (held.token == token && !is_known).then(|| {
        let ended =
            Change::Ended { hold: hold.clone(), cause: EndCause::Released, at: now.wall, by: None };
        [Change::RequestForgotten(hold.clone()), ended]
    })
}
