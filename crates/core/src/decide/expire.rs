//! End the holds whose time is up. Costs what is due, however many locks there are.

use crate::change::{Change, EndCause};
use crate::table::Table;
use crate::time::Now;

/// The ends of the holds that are due, earliest first, at most `limit` of them.
pub(crate) fn expire(table: &Table, now: Now, limit: usize) -> Vec<Change> {
    table
        .due(now.mono)
        .take(limit)
        .map(|hold| Change::Ended { hold: hold.clone(), cause: EndCause::Expired, at: now.wall })
        .collect()
}
