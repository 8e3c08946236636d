//! The table `imports`.

use leasehold_core::{Row, Wall};

use super::{Misfit, Table, column};
use crate::postgres::cell::{Cell, Stamp};

pub(super) const TABLE: Table = Table {
    name: "imports",
    key: &[("only_row", "boolean")],
    facts: &[("begun_at", "timestamptz")],
};

/// The table has one row at most.
pub(super) fn key<'b>() -> [Cell<'b>; 1] {
    [Cell::Bool(true)]
}

pub(super) fn cells<'b>(begun_at: Wall) -> [Cell<'b>; 2] {
    [Cell::Bool(true), Cell::Time(begun_at)]
}

pub(super) fn read(found: &tokio_postgres::Row) -> Result<Row, Misfit> {
    Ok(Row::Import { begun_at: column::<Stamp>(found, 1)?.0 })
}
