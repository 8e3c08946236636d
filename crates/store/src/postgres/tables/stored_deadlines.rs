//! The table `stored_deadlines`: one row or none.

use leasehold_core::{Row, Wall};

use super::{Misfit, Table, column};
use crate::postgres::cell::{Cell, Stamp};

pub(super) const TABLE: Table = Table {
    name: "stored_deadlines",
    key: &[("only_row", "boolean")],
    facts: &[("since", "timestamptz")],
};

pub(super) fn key() -> [Cell<'static>; 1] {
    [Cell::Bool(true)]
}

pub(super) fn cells(since: Wall) -> [Cell<'static>; 2] {
    [Cell::Bool(true), Cell::Time(since)]
}

pub(super) fn read(found: &tokio_postgres::Row) -> Result<Row, Misfit> {
    Ok(Row::StoredDeadlines { since: column::<Stamp>(found, 1)?.0 })
}
