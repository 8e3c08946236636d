//! A process as callers get to see it.

use super::Table;
use crate::command::HoldKey;
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
        let holds: Vec<HoldKey> = self.holds_after(namespace, process_id, None).collect();
        Reply::Process {
            holds: self.show_holds(now, &holds),
            lost: self.losses_of(namespace, process_id, now.mono),
        }
    }

    /// Holds as they stand; those that are over are left out.
    pub(crate) fn show_holds(&self, now: Now, holds: &[HoldKey]) -> Vec<ProcessHold> {
        let show = |hold: &HoldKey| {
            let held = self.lock(&hold.namespace, &hold.lock_id)?.hold_of(hold)?;
            let view = held.view(&hold.process_id, now);
            Some(ProcessHold { lock_id: hold.lock_id.clone(), mode: hold.mode, hold: view })
        };
        holds.iter().filter_map(show).collect()
    }
}
