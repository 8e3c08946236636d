//! Some of the holds of a process: as many as one step takes on.

use super::STEP;
use crate::command::{HoldKey, Rest};
use crate::id::{Namespace, ProcessId};
use crate::table::Table;

/// The holds that one step of a command for all holds of a process takes on.
pub(super) struct Slice {
    pub(super) holds: Vec<HoldKey>,
    /// What is left after it.
    pub(super) rest: Option<Rest>,
}

impl Slice {
    /// The next ones, of those that there were when the command began.
    pub(super) fn of(
        table: &Table,
        namespace: &Namespace,
        process_id: &ProcessId,
        rest: Option<&Rest>,
    ) -> Self {
        let up_to = rest.map_or(table.last_token(), |rest| rest.up_to);
        let after = rest.map(|rest| &rest.after);
        let seen: Vec<HoldKey> =
            table.holds_after(namespace, process_id, after).take(STEP + 1).collect();
        let rest = seen.get(STEP - 1).filter(|_| seen.len() > STEP);
        let rest = rest.map(|last| Rest { up_to, after: (last.lock_id.clone(), last.mode) });
        let is_older = |hold: &HoldKey| {
            let lock = table.lock(namespace, &hold.lock_id);
            lock.and_then(|lock| lock.hold_of(hold)).is_some_and(|held| held.token <= up_to)
        };
        Self { holds: seen.into_iter().take(STEP).filter(is_older).collect(), rest }
    }
}
