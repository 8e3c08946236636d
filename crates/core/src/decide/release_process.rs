//! Give back all that a process holds.

use super::{Answer, Decision};
use crate::change::{Change, EndCause};
use crate::id::{KeyId, Namespace, ProcessId};
use crate::reply::Refusal;
use crate::table::Table;
use crate::time::Now;

/// The reply shows what it held.
pub(super) fn release_process(
    table: &Table,
    now: Now,
    namespace: &Namespace,
    process_id: &ProcessId,
    by: Option<&KeyId>,
) -> Result<Decision, Refusal> {
    let holds = table.holds_of(namespace, process_id);
    if holds.is_empty() {
        return Err(Refusal::ProcessHoldsNothing(process_id.clone()));
    }
    let held = table.show_process(now, namespace, process_id);
    let end =
        |hold| Change::Ended { hold, cause: EndCause::Released, at: now.wall, by: by.cloned() };
    Ok(Decision::change(holds.into_iter().map(end).collect(), Answer::Ready(Box::new(held))))
}
