//! Row values as bytes. What the key says is not said again.

use std::num::NonZeroU32;

use leasehold_core::{
    ApiKey, EndCause, FencingToken, HoldKey, IdempotencyKey, KeyHash, KeyId, KeyLimits,
    LimitsPatch, LockId, LockKind, LockUid, MAX_LABEL_BYTES, Mode, Namespace, Note, PastHold,
    ProcessId, Rate, Role, Row, RowKey, TimeoutSecs, Wall,
};
use serde::{Deserialize, Serialize};

use super::{RecordError, printable, seal, unseal};

/// Version of the values that are written. A new version keeps a reader for the ones before it.
///
/// 1: the first. 2: locks know how many readers and writers they permit and whether they are ephemeral,
/// holds have notes and idempotency keys; releases and past holds are rows, and so is an import that is
/// not complete. 3: keys have limits. 4: holds know when
/// their timeout began; whether such times can be reckoned by is a row. 5: holds know the API key that
/// took them, past holds the idempotency key of the request that did.
pub const VERSION: u8 = 5;

/// A lock as version 1 knew it.
#[derive(Deserialize)]
struct LockFacts1 {
    uid: [u8; 16],
    is_write_exclusive: bool,
    created_at_ms: i64,
    updated_at_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct LockFacts {
    uid: [u8; 16],
    max_readers: Option<u32>,
    max_writers: Option<u32>,
    is_ephemeral: bool,
    created_at_ms: i64,
    updated_at_ms: i64,
}

impl From<LockFacts1> for LockFacts {
    fn from(old: LockFacts1) -> Self {
        Self {
            uid: old.uid,
            max_readers: None,
            max_writers: old.is_write_exclusive.then_some(1),
            is_ephemeral: false,
            created_at_ms: old.created_at_ms,
            updated_at_ms: old.updated_at_ms,
        }
    }
}

/// A hold as version 1 knew it.
#[derive(Deserialize)]
struct HoldFacts1 {
    token: u64,
    timeout_secs: u32,
    acquired_at_ms: i64,
}

/// A hold as versions 2 and 3 knew it.
#[derive(Deserialize)]
struct HoldFacts2<'a> {
    token: u64,
    timeout_secs: u32,
    acquired_at_ms: i64,
    #[serde(borrow)]
    note: Option<&'a str>,
    idempotency_key: Option<&'a str>,
}

/// A hold as version 4 knew it.
#[derive(Deserialize)]
struct HoldFacts4<'a> {
    token: u64,
    timeout_secs: u32,
    acquired_at_ms: i64,
    renewed_at_ms: i64,
    #[serde(borrow)]
    note: Option<&'a str>,
    idempotency_key: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct HoldFacts<'a> {
    token: u64,
    timeout_secs: u32,
    acquired_at_ms: i64,
    renewed_at_ms: i64,
    #[serde(borrow)]
    note: Option<&'a str>,
    idempotency_key: Option<&'a str>,
    acquired_by: Option<&'a str>,
}

impl From<HoldFacts1> for HoldFacts2<'_> {
    fn from(old: HoldFacts1) -> Self {
        Self {
            token: old.token,
            timeout_secs: old.timeout_secs,
            acquired_at_ms: old.acquired_at_ms,
            note: None,
            idempotency_key: None,
        }
    }
}

/// Later refreshes have left no time, so there is none to reckon by.
impl<'a> From<HoldFacts2<'a>> for HoldFacts4<'a> {
    fn from(old: HoldFacts2<'a>) -> Self {
        Self {
            token: old.token,
            timeout_secs: old.timeout_secs,
            acquired_at_ms: old.acquired_at_ms,
            renewed_at_ms: old.acquired_at_ms,
            note: old.note,
            idempotency_key: old.idempotency_key,
        }
    }
}

impl<'a> From<HoldFacts4<'a>> for HoldFacts<'a> {
    fn from(old: HoldFacts4<'a>) -> Self {
        Self {
            token: old.token,
            timeout_secs: old.timeout_secs,
            acquired_at_ms: old.acquired_at_ms,
            renewed_at_ms: old.renewed_at_ms,
            note: old.note,
            idempotency_key: old.idempotency_key,
            acquired_by: None,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct ReleaseFacts<'a> {
    idempotency_key: &'a str,
    number: u64,
}

/// A past hold as versions before 5 knew it.
#[derive(Deserialize)]
struct PastFacts4<'a> {
    number: u64,
    namespace: &'a str,
    lock_id: &'a str,
    process_id: &'a str,
    mode: StoredMode,
    token: u64,
    acquired_at_ms: i64,
    ended_at_ms: i64,
    cause: StoredCause,
    by: Option<&'a str>,
    note: Option<&'a str>,
}

impl<'a> From<PastFacts4<'a>> for PastFacts<'a> {
    fn from(old: PastFacts4<'a>) -> Self {
        Self {
            number: old.number,
            namespace: old.namespace,
            lock_id: old.lock_id,
            process_id: old.process_id,
            mode: old.mode,
            token: old.token,
            acquired_at_ms: old.acquired_at_ms,
            ended_at_ms: old.ended_at_ms,
            cause: old.cause,
            by: old.by,
            note: old.note,
            idempotency_key: None,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct PastFacts<'a> {
    number: u64,
    namespace: &'a str,
    lock_id: &'a str,
    process_id: &'a str,
    mode: StoredMode,
    token: u64,
    acquired_at_ms: i64,
    ended_at_ms: i64,
    cause: StoredCause,
    by: Option<&'a str>,
    note: Option<&'a str>,
    idempotency_key: Option<&'a str>,
}

/// The order of these is on disk.
#[derive(Serialize, Deserialize)]
enum StoredMode {
    Read,
    Write,
}

/// The order of these is on disk.
#[derive(Serialize, Deserialize)]
enum StoredCause {
    Released,
    Expired,
    Forced,
    Converted,
}

/// A key as versions 1 and 2 knew it.
#[derive(Deserialize)]
struct KeyFacts2<'a> {
    namespace: &'a str,
    role: StoredRole,
    label: &'a str,
    hash: [u8; 32],
    created_at_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct KeyFacts<'a> {
    namespace: &'a str,
    role: StoredRole,
    label: &'a str,
    hash: [u8; 32],
    created_at_ms: i64,
    requests_per_second: Option<u32>,
    burst: Option<u32>,
    max_locks: Option<u32>,
    max_holds: Option<u32>,
    max_waiters: Option<u32>,
}

impl<'a> From<KeyFacts2<'a>> for KeyFacts<'a> {
    fn from(old: KeyFacts2<'a>) -> Self {
        Self {
            namespace: old.namespace,
            role: old.role,
            label: old.label,
            hash: old.hash,
            created_at_ms: old.created_at_ms,
            requests_per_second: None,
            burst: None,
            max_locks: None,
            max_holds: None,
            max_waiters: None,
        }
    }
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
        Row::Lock { uid, kind, created_at, updated_at, namespace: _, lock_id: _ } => {
            let facts = LockFacts {
                uid: uid.0,
                max_readers: kind.max_readers,
                max_writers: kind.max_writers,
                is_ephemeral: kind.is_ephemeral,
                created_at_ms: created_at.0,
                updated_at_ms: updated_at.0,
            };
            write(&facts, key, body)
        }
        Row::Hold {
            token,
            timeout,
            acquired_at,
            renewed_at,
            note,
            idempotency_key,
            acquired_by,
            hold: _,
        } => {
            let facts = HoldFacts {
                token: token.get(),
                timeout_secs: timeout.get(),
                acquired_at_ms: acquired_at.0,
                renewed_at_ms: renewed_at.0,
                note: note.as_ref().map(Note::as_str),
                idempotency_key: idempotency_key.as_ref().map(IdempotencyKey::as_str),
                acquired_by: acquired_by.as_ref().map(KeyId::as_str),
            };
            write(&facts, key, body)
        }
        Row::Release { idempotency_key, number, hold: _ } => {
            let facts = ReleaseFacts { idempotency_key: idempotency_key.as_str(), number: *number };
            write(&facts, key, body)
        }
        Row::Past { slot: _, namespace, lock_id, past } => {
            write(&past_facts(namespace, lock_id, past), key, body)
        }
        Row::Key(api_key) => write(&key_facts(api_key), key, body),
        Row::Sequence(token) => write(&token.get(), key, body),
        Row::Import { begun_at } => write(&begun_at.0, key, body),
        Row::StoredDeadlines { since } => write(&since.0, key, body),
    }
}

fn past_facts<'a>(
    namespace: &'a Namespace,
    lock_id: &'a LockId,
    past: &'a PastHold,
) -> PastFacts<'a> {
    PastFacts {
        number: past.number,
        namespace: namespace.as_str(),
        lock_id: lock_id.as_str(),
        process_id: past.process_id.as_str(),
        mode: match past.mode {
            Mode::Read => StoredMode::Read,
            Mode::Write => StoredMode::Write,
        },
        token: past.token.get(),
        acquired_at_ms: past.acquired_at.0,
        ended_at_ms: past.ended_at.0,
        cause: match past.cause {
            EndCause::Released => StoredCause::Released,
            EndCause::Expired => StoredCause::Expired,
            EndCause::Forced => StoredCause::Forced,
            EndCause::Converted => StoredCause::Converted,
        },
        by: past.by.as_ref().map(KeyId::as_str),
        note: past.note.as_ref().map(Note::as_str),
        idempotency_key: past.idempotency_key.as_ref().map(IdempotencyKey::as_str),
    }
}

fn key_facts(key: &ApiKey) -> KeyFacts<'_> {
    let ApiKey { key_id: _, namespace, role, label, hash, created_at, limits } = key;
    let KeyLimits { rate, quotas } = limits;
    KeyFacts {
        namespace: namespace.as_str(),
        role: match role {
            Role::Read => StoredRole::Read,
            Role::Write => StoredRole::Write,
            Role::Admin => StoredRole::Admin,
        },
        label,
        hash: hash.0,
        created_at_ms: created_at.0,
        requests_per_second: rate.map(|rate| rate.per_second().get()),
        burst: rate.and_then(Rate::own_burst).map(NonZeroU32::get),
        max_locks: quotas.max_locks,
        max_holds: quotas.max_holds,
        max_waiters: quotas.max_waiters,
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
    let (version, facts) = match body.split_first() {
        Some((&version @ (1..=VERSION), facts)) => (version, facts),
        Some((&found, _)) => {
            return Err(RecordError::UnknownVersion { key: printable(key), found });
        }
        None => return Err(RecordError::TooShort { key: printable(key), len: value.len() }),
    };
    match row_key {
        RowKey::Lock(namespace, lock_id) => match version {
            1 => read::<LockFacts1>(facts).map(LockFacts::from),
            _ => read(facts),
        }
        .map(|facts| lock_row(namespace, lock_id, &facts)),
        RowKey::Hold(hold) => match version {
            1 => read(facts)
                .map(|old: HoldFacts1| HoldFacts4::from(HoldFacts2::from(old)))
                .map(HoldFacts::from),
            2 | 3 => read::<HoldFacts2<'_>>(facts).map(HoldFacts4::from).map(HoldFacts::from),
            4 => read::<HoldFacts4<'_>>(facts).map(HoldFacts::from),
            _ => read(facts),
        }
        .and_then(|facts| hold_row(hold, &facts)),
        RowKey::Release(hold) => read(facts).and_then(|facts| release_row(hold, &facts)),
        RowKey::Past(slot) => match version {
            1..=4 => read::<PastFacts4<'_>>(facts).map(PastFacts::from),
            _ => read(facts),
        }
        .and_then(|facts| past_row(slot, &facts)),
        RowKey::Key(key_id) => match version {
            1 | 2 => read::<KeyFacts2<'_>>(facts).map(KeyFacts::from),
            _ => read(facts),
        }
        .and_then(|facts| key_row(key_id, &facts)),
        RowKey::Sequence => read(facts).and_then(read_token).map(Row::Sequence),
        RowKey::Import => {
            read(facts).map(|begun_at_ms| Row::Import { begun_at: Wall(begun_at_ms) })
        }
        RowKey::StoredDeadlines => {
            read(facts).map(|since_ms| Row::StoredDeadlines { since: Wall(since_ms) })
        }
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

fn lock_row(namespace: Namespace, lock_id: LockId, facts: &LockFacts) -> Row {
    Row::Lock {
        namespace,
        lock_id,
        uid: LockUid(facts.uid),
        kind: LockKind {
            max_readers: facts.max_readers,
            max_writers: facts.max_writers,
            is_ephemeral: facts.is_ephemeral,
        },
        created_at: Wall(facts.created_at_ms),
        updated_at: Wall(facts.updated_at_ms),
    }
}

fn hold_row(hold: HoldKey, facts: &HoldFacts<'_>) -> Result<Row, Misfit> {
    Ok(Row::Hold {
        hold,
        token: read_token(facts.token)?,
        timeout: TimeoutSecs::new(facts.timeout_secs).ok_or("its timeout is zero")?,
        acquired_at: Wall(facts.acquired_at_ms),
        renewed_at: Wall(facts.renewed_at_ms),
        note: facts.note.map(read_note).transpose()?,
        idempotency_key: facts.idempotency_key.map(read_idempotency_key).transpose()?,
        acquired_by: facts.acquired_by.map(read_key_id).transpose()?,
    })
}

fn read_key_id(text: &str) -> Result<KeyId, Misfit> {
    KeyId::parse_stored(text).map_err(|_| "its key id is not a slug")
}

fn release_row(hold: HoldKey, facts: &ReleaseFacts<'_>) -> Result<Row, Misfit> {
    let idempotency_key = read_idempotency_key(facts.idempotency_key)?;
    Ok(Row::Release { hold, idempotency_key, number: facts.number })
}

fn past_row(slot: u64, facts: &PastFacts<'_>) -> Result<Row, Misfit> {
    Ok(Row::Past {
        slot,
        namespace: read_namespace(facts.namespace)?,
        lock_id: LockId::parse_stored(facts.lock_id)
            .map_err(|_| "its lock's name was never accepted")?,
        past: PastHold {
            number: facts.number,
            process_id: ProcessId::parse_stored(facts.process_id)
                .map_err(|_| "its process's name was never accepted")?,
            mode: match facts.mode {
                StoredMode::Read => Mode::Read,
                StoredMode::Write => Mode::Write,
            },
            token: read_token(facts.token)?,
            acquired_at: Wall(facts.acquired_at_ms),
            ended_at: Wall(facts.ended_at_ms),
            cause: match facts.cause {
                StoredCause::Released => EndCause::Released,
                StoredCause::Expired => EndCause::Expired,
                StoredCause::Forced => EndCause::Forced,
                StoredCause::Converted => EndCause::Converted,
            },
            by: facts.by.map(read_key_id).transpose()?,
            note: facts.note.map(read_note).transpose()?,
            idempotency_key: facts.idempotency_key.map(read_idempotency_key).transpose()?,
        },
    })
}

fn read_namespace(text: &str) -> Result<Namespace, Misfit> {
    Namespace::parse_stored(text).map_err(|_| "its namespace is not a slug")
}

fn read_note(text: &str) -> Result<Note, Misfit> {
    Note::parse_stored(text).map_err(|_| "its note was never accepted")
}

fn read_idempotency_key(text: &str) -> Result<IdempotencyKey, Misfit> {
    IdempotencyKey::parse_stored(text).map_err(|_| "its idempotency key was never accepted")
}

fn key_row(key_id: KeyId, facts: &KeyFacts<'_>) -> Result<Row, Misfit> {
    if facts.label.len() > MAX_LABEL_BYTES {
        return Err("its label is too long");
    }
    let limits = LimitsPatch {
        requests_per_second: Some(facts.requests_per_second),
        burst: Some(facts.burst),
        max_locks: Some(facts.max_locks),
        max_holds: Some(facts.max_holds),
        max_waiters: Some(facts.max_waiters),
    };
    Ok(Row::Key(ApiKey {
        key_id,
        namespace: read_namespace(facts.namespace)?,
        role: match facts.role {
            StoredRole::Read => Role::Read,
            StoredRole::Write => Role::Write,
            StoredRole::Admin => Role::Admin,
        },
        label: facts.label.to_owned(),
        hash: KeyHash(facts.hash),
        created_at: Wall(facts.created_at_ms),
        limits: KeyLimits::default()
            .patched(&limits)
            .map_err(|_| "its rate or burst was never accepted")?,
    }))
}
