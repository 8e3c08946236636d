//! Row values as bytes. What the key says is not said again.

use leasehold_core::{
    ApiKey, FencingToken, HoldKey, KeyHash, KeyId, LockId, LockUid, MAX_LABEL_BYTES, Namespace,
    Role, Row, RowKey, TimeoutSecs, Wall,
};
use serde::{Deserialize, Serialize};

use super::{RecordError, printable, seal, unseal};

/// Version of the values that are written. A new version keeps a reader for the ones before it.
pub const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct LockFacts {
    uid: [u8; 16],
    is_write_exclusive: bool,
    created_at_ms: i64,
    updated_at_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct HoldFacts {
    token: u64,
    timeout_secs: u32,
    acquired_at_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct KeyFacts<'a> {
    namespace: &'a str,
    role: StoredRole,
    label: &'a str,
    hash: [u8; 32],
    created_at_ms: i64,
}

/// The order of these is on disk.
#[derive(Serialize, Deserialize)]
enum StoredRole {
    Read,
    Write,
    Admin,
}

pub(super) fn encode(row: &Row, key: &[u8]) -> Result<Vec<u8>, RecordError> {
    let body = Vec::with_capacity(64);
    match row {
        Row::Lock { uid, is_write_exclusive, created_at, updated_at, namespace: _, lock_id: _ } => {
            let facts = LockFacts {
                uid: uid.0,
                is_write_exclusive: *is_write_exclusive,
                created_at_ms: created_at.0,
                updated_at_ms: updated_at.0,
            };
            write(&facts, key, body)
        }
        Row::Hold { token, timeout, acquired_at, hold: _ } => {
            let facts = HoldFacts {
                token: token.get(),
                timeout_secs: timeout.get(),
                acquired_at_ms: acquired_at.0,
            };
            write(&facts, key, body)
        }
        Row::Key(ApiKey { namespace, role, label, hash, created_at, key_id: _ }) => {
            let facts = KeyFacts {
                namespace: namespace.as_str(),
                role: match role {
                    Role::Read => StoredRole::Read,
                    Role::Write => StoredRole::Write,
                    Role::Admin => StoredRole::Admin,
                },
                label,
                hash: hash.0,
                created_at_ms: created_at.0,
            };
            write(&facts, key, body)
        }
        Row::Sequence(token) => write(&token.get(), key, body),
    }
}

fn write<T: Serialize>(facts: &T, key: &[u8], mut body: Vec<u8>) -> Result<Vec<u8>, RecordError> {
    body.push(VERSION);
    let mut body = postcard::to_extend(facts, body).map_err(|_| RecordError::Malformed {
        key: printable(key),
        what: "its facts cannot be written",
    })?;
    seal(key, &mut body);
    Ok(body)
}

pub(super) fn decode(row_key: RowKey, key: &[u8], value: &[u8]) -> Result<Row, RecordError> {
    let body = unseal(key, value)?;
    let malformed = |what| RecordError::Malformed { key: printable(key), what };
    let facts = match body.split_first() {
        Some((&VERSION, facts)) => facts,
        Some((&found, _)) => {
            return Err(RecordError::UnknownVersion { key: printable(key), found });
        }
        None => return Err(RecordError::TooShort { key: printable(key), len: value.len() }),
    };
    match row_key {
        RowKey::Lock(namespace, lock_id) => read_lock(namespace, lock_id, facts),
        RowKey::Hold(hold) => read_hold(hold, facts),
        RowKey::Key(key_id) => read_key(key_id, facts),
        RowKey::Sequence => read(facts).and_then(read_token).map(Row::Sequence),
    }
    .map_err(malformed)
}

/// What makes a value with a right checksum no row, in words.
type Misfit = &'static str;

fn read<'a, T: Deserialize<'a>>(facts: &'a [u8]) -> Result<T, Misfit> {
    match postcard::take_from_bytes(facts) {
        Ok((read, [])) => Ok(read),
        Ok((_, _)) => Err("bytes follow its facts"),
        Err(_) => Err("its facts are incomplete or of another kind"),
    }
}

fn read_token(number: u64) -> Result<FencingToken, Misfit> {
    FencingToken::new(number).ok_or("its fencing token is past the highest")
}

fn read_lock(namespace: Namespace, lock_id: LockId, facts: &[u8]) -> Result<Row, Misfit> {
    let LockFacts { uid, is_write_exclusive, created_at_ms, updated_at_ms } = read(facts)?;
    Ok(Row::Lock {
        namespace,
        lock_id,
        uid: LockUid(uid),
        is_write_exclusive,
        created_at: Wall(created_at_ms),
        updated_at: Wall(updated_at_ms),
    })
}

fn read_hold(hold: HoldKey, facts: &[u8]) -> Result<Row, Misfit> {
    let HoldFacts { token, timeout_secs, acquired_at_ms } = read(facts)?;
    Ok(Row::Hold {
        hold,
        token: read_token(token)?,
        timeout: TimeoutSecs::new(timeout_secs).ok_or("its timeout is zero")?,
        acquired_at: Wall(acquired_at_ms),
    })
}

fn read_key(key_id: KeyId, facts: &[u8]) -> Result<Row, Misfit> {
    let KeyFacts { namespace, role, label, hash, created_at_ms } = read(facts)?;
    if label.len() > MAX_LABEL_BYTES {
        return Err("its label is too long");
    }
    Ok(Row::Key(ApiKey {
        key_id,
        namespace: Namespace::parse(namespace).map_err(|_| "its namespace is not a slug")?,
        role: match role {
            StoredRole::Read => Role::Read,
            StoredRole::Write => Role::Write,
            StoredRole::Admin => Role::Admin,
        },
        label: label.to_owned(),
        hash: KeyHash(hash),
        created_at: Wall(created_at_ms),
    }))
}
