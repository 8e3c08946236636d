//! Start the timeouts of all that a process holds anew, and tell it what it has lost.

use super::refresh::fresh;
use super::{Answer, Decision};
use crate::change::Change;
use crate::id::{Namespace, ProcessId};
use crate::reply::Refusal;
use crate::table::Table;
use crate::time::{Now, TimeoutSecs};

pub(super) fn refresh_process(
    table: &Table,
    now: Now,
    namespace: &Namespace,
    process_id: &ProcessId,
    timeout: Option<TimeoutSecs>,
) -> Result<Decision, Refusal> {
    if let Some(timeout) = timeout {
        table.limits().check_timeout(timeout)?;
    }
    let holds = table.holds_of(namespace, process_id);
    let lost = table.losses_of(namespace, process_id);
    if holds.is_empty() && lost.is_empty() {
        return Err(Refusal::ProcessHoldsNothing(process_id.clone()));
    }
    let mut changes: Vec<Change> = holds
        .iter()
        .filter_map(|hold| {
            let held = table.lock(namespace, &hold.lock_id)?.hold_of(hold)?;
            Some(fresh(now, hold, held, timeout.unwrap_or(held.timeout)))
        })
        .collect();
    let (namespace, process_id) = (namespace.clone(), process_id.clone());
    if !lost.is_empty() {
        let (namespace, process_id) = (namespace.clone(), process_id.clone());
        changes.push(Change::LossesTold { namespace, process_id });
    }
    Ok(Decision::change(changes, Answer::Process { namespace, process_id, lost }))
}
