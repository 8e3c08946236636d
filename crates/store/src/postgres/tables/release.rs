//! The table `releases`.

use leasehold_core::{HoldKey, IdempotencyKey, Row};

use super::{HOLD_KEY, Misfit, Table, column, hold, int};
use crate::postgres::cell::Cell;

pub(super) const TABLE: Table = Table {
    name: "releases",
    key: HOLD_KEY,
    facts: &[("idempotency_key", "text"), ("number", "bigint")],
};

pub(super) fn cells<'b>(
    hold: &'b HoldKey,
    idempotency_key: &'b IdempotencyKey,
    number: u64,
) -> Result<[Cell<'b>; 6], Misfit> {
    let [namespace, lock_id, mode, process_id] = hold::key(hold);
    let (mark, number) = (Cell::Text(idempotency_key.as_str()), Cell::Int(int(number)?));
    Ok([namespace, lock_id, mode, process_id, mark, number])
}

pub(super) fn read(found: &tokio_postgres::Row) -> Result<Row, Misfit> {
    let number: i64 = column(found, 5)?;
    Ok(Row::Release {
        hold: hold::read_key(found)?,
        idempotency_key: hold::read_idempotency_key(column(found, 4)?)?,
        number: u64::try_from(number).map_err(|_| format!("its number is {number}"))?,
    })
}
