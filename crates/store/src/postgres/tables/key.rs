//! The table `api_keys`.

use std::num::NonZeroU32;

use leasehold_core::{
    ApiKey, KeyHash, KeyId, KeyLimits, LimitsPatch, MAX_LABEL_BYTES, Namespace, Rate, Role, Row,
};

use super::{Misfit, Table, column, count};
use crate::postgres::cell::{Cell, Stamp};

pub(super) const TABLE: Table = Table {
    name: "api_keys",
    key: &[("key_id", "text")],
    facts: &[
        ("namespace", "text"),
        ("role", "text"),
        ("label", "text"),
        ("hash", "bytea"),
        ("created_at", "timestamptz"),
        ("requests_per_second", "bigint"),
        ("burst", "bigint"),
        ("max_locks", "bigint"),
        ("max_holds", "bigint"),
        ("max_waiters", "bigint"),
    ],
};

pub(super) fn cells(key: &ApiKey) -> [Cell<'_>; 11] {
    let ApiKey { key_id, namespace, role, label, hash, created_at, limits } = key;
    let KeyLimits { rate, quotas } = limits;
    [
        Cell::Text(key_id.as_str()),
        Cell::Text(namespace.as_str()),
        Cell::Text(role.as_str()),
        Cell::Text(label),
        Cell::Bytes(&hash.0),
        Cell::Time(*created_at),
        Cell::int(rate.map(|rate| rate.per_second().get())),
        Cell::int(rate.and_then(Rate::own_burst).map(NonZeroU32::get)),
        Cell::int(quotas.max_locks),
        Cell::int(quotas.max_holds),
        Cell::int(quotas.max_waiters),
    ]
}

pub(super) fn read(found: &tokio_postgres::Row) -> Result<Row, Misfit> {
    let (label, hash): (&str, &[u8]) = (column(found, 3)?, column(found, 4)?);
    if label.len() > MAX_LABEL_BYTES {
        return Err("its label is too long".to_owned());
    }
    Ok(Row::Key(ApiKey {
        key_id: KeyId::parse_stored(column(found, 0)?).map_err(|e| format!("its key_id {e}"))?,
        namespace: Namespace::parse_stored(column(found, 1)?)
            .map_err(|e| format!("its namespace {e}"))?,
        role: match column(found, 2)? {
            "read" => Role::Read,
            "write" => Role::Write,
            "admin" => Role::Admin,
            other => return Err(format!("its role is {other:?}")),
        },
        label: label.to_owned(),
        hash: KeyHash(hash.try_into().map_err(|_| "its hash is not of 32 bytes".to_owned())?),
        created_at: column::<Stamp>(found, 5)?.0,
        limits: limits(found)?,
    }))
}

fn limits(found: &tokio_postgres::Row) -> Result<KeyLimits, Misfit> {
    let limit = |at| count(found, at).map(Some);
    let limits = LimitsPatch {
        requests_per_second: limit(6)?,
        burst: limit(7)?,
        max_locks: limit(8)?,
        max_holds: limit(9)?,
        max_waiters: limit(10)?,
    };
    KeyLimits::default().patched(&limits).map_err(|error| error.to_string())
}
