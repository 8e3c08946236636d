//! Row keys as bytes.

use std::borrow::Cow;

use leasehold_core::{HoldKey, KeyId, LockId, Mode, Namespace, ProcessId, RowKey};

const SEQUENCE: &str = "meta/sequence";
const IMPORT: &str = "meta/import";
const STORED_DEADLINES: &str = "meta/stored-deadlines";

pub(super) fn encode(key: &RowKey) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    match key {
        RowKey::Lock(namespace, lock_id) => {
            join(&mut bytes, &["lock", namespace.as_str(), lock_id.as_str()]);
        }
        RowKey::Hold(hold) => join_hold(&mut bytes, "hold", hold),
        RowKey::Release(hold) => join_hold(&mut bytes, "release", hold),
        RowKey::Past(slot) => join(&mut bytes, &["history", &slot.to_string()]),
        RowKey::Key(key_id) => join(&mut bytes, &["key", key_id.as_str()]),
        RowKey::Sequence => bytes.extend_from_slice(SEQUENCE.as_bytes()),
        RowKey::Import => bytes.extend_from_slice(IMPORT.as_bytes()),
        RowKey::StoredDeadlines => bytes.extend_from_slice(STORED_DEADLINES.as_bytes()),
    }
    bytes
}

/// `None` for bytes that [`encode`] makes of no key: so no two keys of a store mean the same row.
pub(super) fn decode(bytes: &[u8]) -> Option<RowKey> {
    let text = std::str::from_utf8(bytes).ok()?;
    match text {
        SEQUENCE => return Some(RowKey::Sequence),
        IMPORT => return Some(RowKey::Import),
        STORED_DEADLINES => return Some(RowKey::StoredDeadlines),
        _ => {}
    }
    let mut parts = text.split('/');
    let kind = parts.next()?;
    let mut name = || parts.next().and_then(unescape);
    let mut hold = || {
        Some(HoldKey {
            namespace: Namespace::parse_stored(&name()?).ok()?,
            lock_id: LockId::parse_stored(&name()?).ok()?,
            mode: match name()?.as_ref() {
                "r" => Mode::Read,
                "w" => Mode::Write,
                _ => return None,
            },
            process_id: ProcessId::parse_stored(&name()?).ok()?,
        })
    };
    let key = match kind {
        "hold" => RowKey::Hold(hold()?),
        "release" => RowKey::Release(hold()?),
        "lock" => {
            let namespace = Namespace::parse_stored(&name()?).ok()?;
            RowKey::Lock(namespace, LockId::parse_stored(&name()?).ok()?)
        }
        "history" => {
            let digits = name()?;
            let slot: u64 = digits.parse().ok()?;
            (slot.to_string() == digits).then_some(RowKey::Past(slot))?
        }
        "key" => RowKey::Key(KeyId::parse_stored(&name()?).ok()?),
        _ => return None,
    };
    parts.next().is_none().then_some(key)
}

fn join_hold(bytes: &mut Vec<u8>, kind: &str, hold: &HoldKey) {
    let HoldKey { namespace, lock_id, mode, process_id } = hold;
    let mode = match mode {
        Mode::Read => "r",
        Mode::Write => "w",
    };
    join(bytes, &[kind, namespace.as_str(), lock_id.as_str(), mode, process_id.as_str()]);
}

fn join(bytes: &mut Vec<u8>, parts: &[&str]) {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            bytes.push(b'/');
        }
        for byte in part.bytes() {
            match byte {
                b'%' => bytes.extend_from_slice(b"%25"),
                b'/' => bytes.extend_from_slice(b"%2F"),
                plain => bytes.push(plain),
            }
        }
    }
}

fn unescape(part: &str) -> Option<Cow<'_, str>> {
    if !part.contains('%') {
        return Some(Cow::Borrowed(part));
    }
    let mut pieces = part.split('%');
    let mut text = pieces.next()?.to_owned();
    for piece in pieces {
        if let Some(rest) = piece.strip_prefix("25") {
            text.push('%');
            text.push_str(rest);
        } else {
            text.push('/');
            text.push_str(piece.strip_prefix("2F")?);
        }
    }
    Some(Cow::Owned(text))
}
