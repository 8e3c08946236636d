//! The table `holds`, and the key that `releases` shares with it.

use leasehold_core::{
    FencingToken, HoldKey, IdempotencyKey, KeyId, LockId, Namespace, Note, ProcessId, Row,
    TimeoutSecs, Wall,
};

use super::{HOLD_KEY, Misfit, Table, column, int, mode_of, mode_text};
use crate::postgres::cell::{Cell, Stamp};

pub(super) const TABLE: Table = Table {
    name: "holds",
    key: HOLD_KEY,
    facts: &[
        ("token", "bigint"),
        ("timeout_secs", "bigint"),
        ("acquired_at", "timestamptz"),
        ("renewed_at", "timestamptz"),
        ("note", "text"),
        ("idempotency_key", "text"),
        ("acquired_by", "text"),
    ],
};

pub(super) fn key(hold: &HoldKey) -> [Cell<'_>; 4] {
    let HoldKey { namespace, lock_id, mode, process_id } = hold;
    [
        Cell::Text(namespace.as_str()),
        Cell::Text(lock_id.as_str()),
        Cell::Text(mode_text(*mode)),
        Cell::Text(process_id.as_str()),
    ]
}

pub(super) fn cells<'b>(
    hold: &'b HoldKey,
    token: FencingToken,
    timeout: TimeoutSecs,
    [acquired_at, renewed_at]: [Wall; 2],
    note: Option<&'b Note>,
    idempotency_key: Option<&'b IdempotencyKey>,
    acquired_by: Option<&'b KeyId>,
) -> Result<[Cell<'b>; 11], Misfit> {
    let [namespace, lock_id, mode, process_id] = key(hold);
    Ok([
        namespace,
        lock_id,
        mode,
        process_id,
        Cell::Int(int(token.get())?),
        Cell::Int(i64::from(timeout.get())),
        Cell::Time(acquired_at),
        Cell::Time(renewed_at),
        Cell::text(note.map(Note::as_str)),
        Cell::text(idempotency_key.map(IdempotencyKey::as_str)),
        Cell::text(acquired_by.map(KeyId::as_str)),
    ])
}

pub(super) fn read_key(found: &tokio_postgres::Row) -> Result<HoldKey, Misfit> {
    Ok(HoldKey {
        namespace: Namespace::parse_stored(column(found, 0)?)
            .map_err(|e| format!("its namespace {e}"))?,
        lock_id: LockId::parse_stored(column(found, 1)?).map_err(|e| format!("its lock_id {e}"))?,
        mode: mode_of(column(found, 2)?)?,
        process_id: ProcessId::parse_stored(column(found, 3)?)
            .map_err(|e| format!("its process_id {e}"))?,
    })
}

pub(super) fn read_idempotency_key(text: &str) -> Result<IdempotencyKey, Misfit> {
    IdempotencyKey::parse_stored(text).map_err(|e| format!("its idempotency_key {e}"))
}

pub(super) fn read(found: &tokio_postgres::Row) -> Result<Row, Misfit> {
    let (token, timeout): (i64, i64) = (column(found, 4)?, column(found, 5)?);
    let note: Option<&str> = column(found, 8)?;
    let idempotency_key: Option<&str> = column(found, 9)?;
    let acquired_by: Option<&str> = column(found, 10)?;
    Ok(Row::Hold {
        hold: read_key(found)?,
        token: read_token(token)?,
        timeout: u32::try_from(timeout)
            .ok()
            .and_then(TimeoutSecs::new)
            .ok_or_else(|| format!("its timeout_secs is {timeout}"))?,
        acquired_at: column::<Stamp>(found, 6)?.0,
        renewed_at: column::<Stamp>(found, 7)?.0,
        note: note.map(Note::parse).transpose().map_err(|e| format!("its note {e}"))?,
        idempotency_key: idempotency_key.map(read_idempotency_key).transpose()?,
        acquired_by: acquired_by
            .map(KeyId::parse)
            .transpose()
            .map_err(|e| format!("its acquired_by {e}"))?,
    })
}

pub(in crate::postgres) fn read_token(number: i64) -> Result<FencingToken, Misfit> {
    u64::try_from(number)
        .ok()
        .and_then(FencingToken::new)
        .ok_or_else(|| format!("{number} is no fencing token"))
}
