//! The table `locks`.

use leasehold_core::{LockId, LockKind, LockUid, Namespace, Row, Wall};

use super::{Misfit, Table, column, count};
use crate::postgres::cell::{Cell, Stamp, Uid};

pub(super) const TABLE: Table = Table {
    name: "locks",
    key: &[("namespace", "text"), ("lock_id", "text")],
    facts: &[
        ("uid", "uuid"),
        ("max_readers", "bigint"),
        ("max_writers", "bigint"),
        ("is_ephemeral", "boolean"),
        ("created_at", "timestamptz"),
        ("updated_at", "timestamptz"),
    ],
};

pub(super) fn key<'b>(namespace: &'b Namespace, lock_id: &'b LockId) -> [Cell<'b>; 2] {
    [Cell::Text(namespace.as_str()), Cell::Text(lock_id.as_str())]
}

pub(super) fn cells<'b>(
    namespace: &'b Namespace,
    lock_id: &'b LockId,
    uid: LockUid,
    kind: LockKind,
    created_at: Wall,
    updated_at: Wall,
) -> [Cell<'b>; 8] {
    let [namespace, lock_id] = key(namespace, lock_id);
    let LockKind { max_readers, max_writers, is_ephemeral } = kind;
    [
        namespace,
        lock_id,
        Cell::Uuid(uid.0),
        Cell::int(max_readers),
        Cell::int(max_writers),
        Cell::Bool(is_ephemeral),
        Cell::Time(created_at),
        Cell::Time(updated_at),
    ]
}

pub(super) fn read(found: &tokio_postgres::Row) -> Result<Row, Misfit> {
    Ok(Row::Lock {
        namespace: Namespace::parse_stored(column(found, 0)?)
            .map_err(|e| format!("its namespace {e}"))?,
        lock_id: LockId::parse_stored(column(found, 1)?).map_err(|e| format!("its lock_id {e}"))?,
        uid: LockUid(column::<Uid>(found, 2)?.0),
        kind: LockKind {
            max_readers: count(found, 3)?,
            max_writers: count(found, 4)?,
            is_ephemeral: column(found, 5)?,
        },
        created_at: column::<Stamp>(found, 6)?.0,
        updated_at: column::<Stamp>(found, 7)?.0,
    })
}
