//! The table `history`.

use leasehold_core::{
    EndCause, IdempotencyKey, KeyId, LockId, Namespace, Note, PastHold, ProcessId, Row,
};

use super::{Misfit, Table, column, hold, int, mode_of, mode_text};
use crate::postgres::cell::{Cell, Stamp};

pub(super) const TABLE: Table = Table {
    name: "history",
    key: &[("slot", "bigint")],
    facts: &[
        ("number", "bigint"),
        ("namespace", "text"),
        ("lock_id", "text"),
        ("mode", "text"),
        ("process_id", "text"),
        ("token", "bigint"),
        ("acquired_at", "timestamptz"),
        ("ended_at", "timestamptz"),
        ("cause", "text"),
        ("ended_by", "text"),
        ("note", "text"),
        ("idempotency_key", "text"),
    ],
};

/// A slot is the number of the first past hold that it kept, so it fits wherever that one fitted.
pub(super) fn key<'b>(slot: u64) -> [Cell<'b>; 1] {
    [Cell::Int(slot.cast_signed())]
}

pub(super) fn cells<'b>(
    slot: u64,
    namespace: &'b Namespace,
    lock_id: &'b LockId,
    past: &'b PastHold,
) -> Result<[Cell<'b>; 13], Misfit> {
    Ok([
        Cell::Int(int(slot)?),
        Cell::Int(int(past.number)?),
        Cell::Text(namespace.as_str()),
        Cell::Text(lock_id.as_str()),
        Cell::Text(mode_text(past.mode)),
        Cell::Text(past.process_id.as_str()),
        Cell::Int(int(past.token.get())?),
        Cell::Time(past.acquired_at),
        Cell::Time(past.ended_at),
        Cell::Text(cause_text(past.cause)),
        Cell::text(past.by.as_ref().map(KeyId::as_str)),
        Cell::text(past.note.as_ref().map(Note::as_str)),
        Cell::text(past.idempotency_key.as_ref().map(IdempotencyKey::as_str)),
    ])
}

pub(super) fn read(found: &tokio_postgres::Row) -> Result<Row, Misfit> {
    let (slot, number, token): (i64, i64, i64) =
        (column(found, 0)?, column(found, 1)?, column(found, 6)?);
    let by: Option<&str> = column(found, 10)?;
    let note: Option<&str> = column(found, 11)?;
    let idempotency_key: Option<&str> = column(found, 12)?;
    Ok(Row::Past {
        slot: u64::try_from(slot).map_err(|_| format!("its slot is {slot}"))?,
        namespace: Namespace::parse_stored(column(found, 2)?)
            .map_err(|e| format!("its namespace {e}"))?,
        lock_id: LockId::parse_stored(column(found, 3)?).map_err(|e| format!("its lock_id {e}"))?,
        past: PastHold {
            number: u64::try_from(number).map_err(|_| format!("its number is {number}"))?,
            process_id: ProcessId::parse_stored(column(found, 5)?)
                .map_err(|e| format!("its process_id {e}"))?,
            mode: mode_of(column(found, 4)?)?,
            token: hold::read_token(token)?,
            acquired_at: column::<Stamp>(found, 7)?.0,
            ended_at: column::<Stamp>(found, 8)?.0,
            cause: cause_of(column(found, 9)?)?,
            by: by.map(KeyId::parse).transpose().map_err(|e| format!("its ended_by {e}"))?,
            note: note.map(Note::parse).transpose().map_err(|e| format!("its note {e}"))?,
            idempotency_key: idempotency_key.map(hold::read_idempotency_key).transpose()?,
        },
    })
}

fn cause_text(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Released => "released",
        EndCause::Expired => "expired",
        EndCause::Forced => "forced",
        EndCause::Converted => "converted",
    }
}

fn cause_of(text: &str) -> Result<EndCause, Misfit> {
    match text {
        "released" => Ok(EndCause::Released),
        "expired" => Ok(EndCause::Expired),
        "forced" => Ok(EndCause::Forced),
        "converted" => Ok(EndCause::Converted),
        other => Err(format!("its cause is {other:?}")),
    }
}
