//! A process as callers get to see it.

use super::Table;
use crate::id::{Namespace, ProcessId};
use crate::reply::{ProcessHold, Reply};
use crate::time::Now;

impl Table {
    /// A process as it stands.
    pub(crate) fn show_process(
        &self,
        now: Now,
        namespace: &Namespace,
        process_id: &ProcessId,
    ) -> Reply {
        Reply::Process {
            holds: self.holds_shown(now, namespace, process_id),
            lost: self.losses_of(namespace, process_id),
        }
    }

    /// The holds of a process as they stand.
    pub(crate) fn holds_shown(
        &self,
        now: Now,
        namespace: &Namespace,
        process_id: &ProcessId,
    ) -> Vec<ProcessHold> {
        let holds = self.holds_of(namespace, process_id).into_iter();
        holds
            .filter_map(|hold| {
                let held = self.lock(namespace, &hold.lock_id)?.hold_of(&hold)?;
                let view = held.view(process_id, now);
                Some(ProcessHold { lock_id: hold.lock_id, mode: hold.mode, hold: view })
            })
            .collect()
    }
}
