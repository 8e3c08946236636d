//! The table `api_keys`.

use leasehold_core::{ApiKey, KeyHash, KeyId, MAX_LABEL_BYTES, Namespace, Role, Row};

use super::{Misfit, Table, column};
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
    ],
};

pub(super) fn cells(key: &ApiKey) -> [Cell<'_>; 6] {
    let ApiKey { key_id, namespace, role, label, hash, created_at } = key;
    [
        Cell::Text(key_id.as_str()),
        Cell::Text(namespace.as_str()),
        Cell::Text(role.as_str()),
        Cell::Text(label),
        Cell::Bytes(&hash.0),
        Cell::Time(*created_at),
    ]
}

pub(super) fn read(found: &tokio_postgres::Row) -> Result<Row, Misfit> {
    let (label, hash): (&str, &[u8]) = (column(found, 3)?, column(found, 4)?);
    if label.len() > MAX_LABEL_BYTES {
        return Err("its label is too long".to_owned());
    }
    Ok(Row::Key(ApiKey {
        key_id: KeyId::parse(column(found, 0)?).map_err(|e| format!("its key_id {e}"))?,
        namespace: Namespace::parse(column(found, 1)?).map_err(|e| format!("its namespace {e}"))?,
        role: match column(found, 2)? {
            "read" => Role::Read,
            "write" => Role::Write,
            "admin" => Role::Admin,
            other => return Err(format!("its role is {other:?}")),
        },
        label: label.to_owned(),
        hash: KeyHash(hash.try_into().map_err(|_| "its hash is not of 32 bytes".to_owned())?),
        created_at: column::<Stamp>(found, 5)?.0,
    }))
}
