//! Look at all that a process holds.

use super::Decision;
use crate::id::{Namespace, ProcessId};
use crate::table::Table;
use crate::time::Now;

pub(super) fn get_process(
    table: &Table,
    now: Now,
    namespace: &Namespace,
    process_id: &ProcessId,
) -> Decision {
    Decision::read(table.show_process(now, namespace, process_id))
}
