//! Start the timeouts of all that a process holds again, in as many steps as it takes, and tell it what it
//! has lost.

use super::refresh::fresh;
use super::slice::Slice;
use super::{Answer, Decision};
use crate::change::Change;
use crate::command::{Command, Rest};
use crate::id::{Namespace, ProcessId};
use crate::limits::LOSSES_TOLD_FOR;
use crate::reply::{LostHold, Refusal};
use crate::table::Table;
use crate::time::{Now, TimeoutSecs};
use crate::token::FencingToken;

/// What is asked beside for which process.
pub(super) struct Asked<'a> {
    /// How long the holds last from now; `None` for the length that each has.
    pub(super) timeout: Option<TimeoutSecs>,
    /// Losses that the client has heard of, by their tokens.
    pub(super) acknowledged: &'a [FencingToken],
    /// What earlier steps left.
    pub(super) rest: &'a Option<Rest>,
}

pub(super) fn refresh_process(
    table: &Table,
    now: Now,
    namespace: &Namespace,
    process_id: &ProcessId,
    asked: &Asked<'_>,
) -> Result<Decision, Refusal> {
    if let Some(timeout) = asked.timeout {
        table.limits().check_timeout(timeout)?;
    }
    let slice = Slice::of(table, namespace, process_id, asked.rest.as_ref());
    let mut changes: Vec<Change> = slice
        .holds
        .iter()
        .filter_map(|hold| {
            let held = table.lock(namespace, &hold.lock_id)?.hold_of(hold)?;
            Some(fresh(now, hold, held, asked.timeout.unwrap_or(held.timeout)))
        })
        .collect();
    let mut lost = Vec::new();
    if asked.rest.is_none() {
        lost = table.losses_of(namespace, process_id, now.mono);
        if slice.holds.is_empty() && lost.is_empty() {
            return Err(Refusal::ProcessHoldsNothing(process_id.clone()));
        }
        changes.extend(tell(now, namespace, process_id, &mut lost, asked.acknowledged));
    }
    let next = slice.rest.map(|rest| Command::RefreshProcess {
        namespace: namespace.clone(),
        process_id: process_id.clone(),
        timeout: asked.timeout,
        acknowledged: Vec::new(),
        rest: Some(rest),
    });
    Ok(Decision::step(changes, Answer::Process { holds: slice.holds, lost }, next))
}

/// Tells the losses that the client has not acknowledged. They are told again: this answer may not arrive.
fn tell(
    now: Now,
    namespace: &Namespace,
    process_id: &ProcessId,
    lost: &mut Vec<LostHold>,
    acknowledged: &[FencingToken],
) -> Vec<Change> {
    let of_process = || (namespace.clone(), process_id.clone());
    let mut changes = Vec::new();
    if lost.iter().any(|loss| acknowledged.contains(&loss.token)) {
        lost.retain(|loss| !acknowledged.contains(&loss.token));
        let ((namespace, process_id), tokens) = (of_process(), acknowledged.to_vec());
        changes.push(Change::LossesAcknowledged { namespace, process_id, tokens });
    }
    if !lost.is_empty() {
        let ((namespace, process_id), until) = (of_process(), now.mono.plus(LOSSES_TOLD_FOR));
        changes.push(Change::LossesTold { namespace, process_id, until });
    }
    changes
}
