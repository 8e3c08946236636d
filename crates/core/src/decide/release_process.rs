//! Give back all that a process holds, in as many steps as it takes.

use super::slice::Slice;
use super::{Answer, Decision};
use crate::change::{Change, EndCause};
use crate::command::{Command, Rest};
use crate::id::{KeyId, Namespace, ProcessId};
use crate::reply::{Refusal, Reply};
use crate::table::Table;
use crate::time::Now;

/// The reply shows what it held.
pub(super) fn release_process(
    table: &Table,
    now: Now,
    namespace: &Namespace,
    process_id: &ProcessId,
    rest: Option<&Rest>,
    by: Option<&KeyId>,
) -> Result<Decision, Refusal> {
    let slice = Slice::of(table, namespace, process_id, rest);
    if rest.is_none() && slice.holds.is_empty() {
        return Err(Refusal::ProcessHoldsNothing(process_id.clone()));
    }
    let lost = match rest {
        None => table.losses_of(namespace, process_id, now.mono),
        Some(_) => Vec::new(),
    };
    let held = Reply::Process { holds: table.show_holds(now, &slice.holds), lost };
    let end =
        |hold| Change::Ended { hold, cause: EndCause::Released, at: now.wall, by: by.cloned() };
    let changes = slice.holds.into_iter().map(end).collect();
    let next = slice.rest.map(|rest| Command::ReleaseProcess {
        namespace: namespace.clone(),
        process_id: process_id.clone(),
        rest: Some(rest),
    });
    Ok(Decision::step(changes, Answer::Ready(Box::new(held)), next))
}
