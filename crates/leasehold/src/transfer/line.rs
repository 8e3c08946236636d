//! The lines of an export as JSON, and the rows that they are.

use std::num::NonZeroU32;

use leasehold_core::{
    ApiKey, EndCause, FencingToken, HoldKey, IdempotencyKey, KeyId, KeyLimits, LimitsPatch, LockId,
    LockKind, MAX_LABEL_BYTES, Mode, Namespace, Note, PastHold, ProcessId, Rate, Role, Row,
    TimeoutSecs,
};
use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::text::{Hash, Id, Time};

/// The word that tells an export from other files.
pub(super) const FORMAT: &str = "leasehold-export";
/// Version of the lines. A new version keeps a reader for the ones before it.
pub(super) const FORMAT_VERSION: u32 = 1;

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Line {
    Header(Header),
    Lock(LockLine),
    Hold(HoldLine),
    PastHold(PastHoldLine),
    Release(ReleaseLine),
    Key(KeyLine),
    Sequence(SequenceLine),
    Footer(Footer),
}

/// The first line. Later versions may say more, so unknown fields are no error.
#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) format: String,
    pub(super) format_version: u32,
    /// Which version of Leasehold wrote it.
    pub(super) service_version: String,
    pub(super) exported_at: Time,
}

/// The last line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Footer {
    pub(super) counts: Counts,
    /// Of all lines before this one, in hexadecimal digits.
    pub(super) sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockLine {
    namespace: String,
    lock_id: String,
    id: Id,
    max_readers: Option<u32>,
    max_writers: Option<u32>,
    is_ephemeral: bool,
    created_at: Time,
    updated_at: Time,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HoldLine {
    namespace: String,
    lock_id: String,
    mode: ModeWord,
    process_id: String,
    fencing_token: u64,
    timeout_seconds: u32,
    acquired_at: Time,
    note: Option<String>,
    idempotency_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acquired_by: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PastHoldLine {
    /// Which of the rows that are written anew it stands in.
    slot: u64,
    /// Orders the ends of all holds.
    number: u64,
    namespace: String,
    lock_id: String,
    mode: ModeWord,
    process_id: String,
    fencing_token: u64,
    acquired_at: Time,
    ended_at: Time,
    cause: CauseWord,
    ended_by: Option<String>,
    note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReleaseLine {
    namespace: String,
    lock_id: String,
    mode: ModeWord,
    process_id: String,
    idempotency_key: String,
    /// The lowest is forgotten first.
    number: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyLine {
    key_id: String,
    namespace: String,
    role: RoleWord,
    label: String,
    sha256: Hash,
    created_at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requests_per_second: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    burst: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_locks: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_holds: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_waiters: Option<u32>,
}

/// The highest fencing token that was given out.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SequenceLine {
    fencing_token: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ModeWord {
    Read,
    Write,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CauseWord {
    Released,
    Expired,
    Forced,
    Converted,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RoleWord {
    Read,
    Write,
    Admin,
}

impl Line {
    /// The line of a row; `None` for a row that is about the store that it is in.
    pub(super) fn of(row: &Row) -> Option<Self> {
        Some(match row {
            Row::Lock { namespace, lock_id, uid, kind, created_at, updated_at } => {
                let LockKind { max_readers, max_writers, is_ephemeral } = *kind;
                Self::Lock(LockLine {
                    namespace: namespace.to_string(),
                    lock_id: lock_id.to_string(),
                    id: Id(*uid),
                    max_readers,
                    max_writers,
                    is_ephemeral,
                    created_at: Time(*created_at),
                    updated_at: Time(*updated_at),
                })
            }
            // Whoever serves from an import starts every timeout anew.
            Row::Hold {
                hold,
                token,
                timeout,
                acquired_at,
                renewed_at: _,
                note,
                idempotency_key,
                acquired_by,
            } => Self::Hold(HoldLine {
                namespace: hold.namespace.to_string(),
                lock_id: hold.lock_id.to_string(),
                mode: hold.mode.into(),
                process_id: hold.process_id.to_string(),
                fencing_token: token.get(),
                timeout_seconds: timeout.get(),
                acquired_at: Time(*acquired_at),
                note: note.as_ref().map(Note::to_string),
                idempotency_key: idempotency_key.as_ref().map(IdempotencyKey::to_string),
                acquired_by: acquired_by.as_ref().map(KeyId::to_string),
            }),
            Row::Past { slot, namespace, lock_id, past } => {
                Self::PastHold(PastHoldLine::of(*slot, namespace, lock_id, past))
            }
            Row::Release { hold, idempotency_key, number } => Self::Release(ReleaseLine {
                namespace: hold.namespace.to_string(),
                lock_id: hold.lock_id.to_string(),
                mode: hold.mode.into(),
                process_id: hold.process_id.to_string(),
                idempotency_key: idempotency_key.to_string(),
                number: *number,
            }),
            Row::Key(key) => Self::Key(KeyLine::of(key)),
            Row::Sequence(token) => Self::Sequence(SequenceLine { fencing_token: token.get() }),
            Row::Import { .. } | Row::StoredDeadlines { .. } => return None,
        })
    }
}

/// What is wrong with a line, in words.
pub(super) type Misfit = String;

impl LockLine {
    pub(super) fn into_row(self) -> Result<Row, Misfit> {
        Ok(Row::Lock {
            namespace: namespace(&self.namespace)?,
            lock_id: lock_id(&self.lock_id)?,
            uid: self.id.0,
            kind: LockKind {
                max_readers: self.max_readers,
                max_writers: self.max_writers,
                is_ephemeral: self.is_ephemeral,
            },
            created_at: self.created_at.0,
            updated_at: self.updated_at.0,
        })
    }
}

impl HoldLine {
    pub(super) fn into_row(self) -> Result<Row, Misfit> {
        Ok(Row::Hold {
            hold: hold_key(&self.namespace, &self.lock_id, self.mode, &self.process_id)?,
            token: token(self.fencing_token)?,
            timeout: TimeoutSecs::new(self.timeout_seconds).ok_or("`timeout_seconds` is 0")?,
            acquired_at: self.acquired_at.0,
            renewed_at: self.acquired_at.0,
            note: self.note.as_deref().map(note).transpose()?,
            idempotency_key: self.idempotency_key.as_deref().map(idempotency_key).transpose()?,
            acquired_by: self
                .acquired_by
                .as_deref()
                .map(|text| key_id("acquired_by", text))
                .transpose()?,
        })
    }
}

impl PastHoldLine {
    fn of(slot: u64, namespace: &Namespace, lock_id: &LockId, past: &PastHold) -> Self {
        Self {
            slot,
            number: past.number,
            namespace: namespace.to_string(),
            lock_id: lock_id.to_string(),
            mode: past.mode.into(),
            process_id: past.process_id.to_string(),
            fencing_token: past.token.get(),
            acquired_at: Time(past.acquired_at),
            ended_at: Time(past.ended_at),
            cause: past.cause.into(),
            ended_by: past.by.as_ref().map(KeyId::to_string),
            note: past.note.as_ref().map(Note::to_string),
            idempotency_key: past.idempotency_key.as_ref().map(IdempotencyKey::to_string),
        }
    }

    pub(super) fn into_row(self) -> Result<Row, Misfit> {
        Ok(Row::Past {
            slot: self.slot,
            namespace: namespace(&self.namespace)?,
            lock_id: lock_id(&self.lock_id)?,
            past: PastHold {
                number: self.number,
                process_id: process_id(&self.process_id)?,
                mode: self.mode.into(),
                token: token(self.fencing_token)?,
                acquired_at: self.acquired_at.0,
                ended_at: self.ended_at.0,
                cause: self.cause.into(),
                by: self.ended_by.as_deref().map(|text| key_id("ended_by", text)).transpose()?,
                note: self.note.as_deref().map(note).transpose()?,
                idempotency_key: self
                    .idempotency_key
                    .as_deref()
                    .map(idempotency_key)
                    .transpose()?,
            },
        })
    }
}

impl ReleaseLine {
    pub(super) fn into_row(self) -> Result<Row, Misfit> {
        Ok(Row::Release {
            hold: hold_key(&self.namespace, &self.lock_id, self.mode, &self.process_id)?,
            idempotency_key: idempotency_key(&self.idempotency_key)?,
            number: self.number,
        })
    }
}

impl KeyLine {
    fn of(key: &ApiKey) -> Self {
        let KeyLimits { rate, quotas } = key.limits;
        Self {
            key_id: key.key_id.to_string(),
            namespace: key.namespace.to_string(),
            role: key.role.into(),
            label: key.label.clone(),
            sha256: Hash(key.hash),
            created_at: Time(key.created_at),
            requests_per_second: rate.map(|rate| rate.per_second().get()),
            burst: rate.and_then(Rate::own_burst).map(NonZeroU32::get),
            max_locks: quotas.max_locks,
            max_holds: quotas.max_holds,
            max_waiters: quotas.max_waiters,
        }
    }

    fn limits(&self) -> Result<KeyLimits, Misfit> {
        let limits = LimitsPatch {
            requests_per_second: Some(self.requests_per_second),
            burst: Some(self.burst),
            max_locks: Some(self.max_locks),
            max_holds: Some(self.max_holds),
            max_waiters: Some(self.max_waiters),
        };
        KeyLimits::default().patched(&limits).map_err(|error| error.to_string())
    }

    pub(super) fn into_row(self) -> Result<Row, Misfit> {
        if self.label.len() > MAX_LABEL_BYTES {
            return Err(format!("`label` is longer than {MAX_LABEL_BYTES} bytes"));
        }
        Ok(Row::Key(ApiKey {
            key_id: key_id("key_id", &self.key_id)?,
            namespace: namespace(&self.namespace)?,
            limits: self.limits()?,
            role: self.role.into(),
            label: self.label,
            hash: self.sha256.0,
            created_at: self.created_at.0,
        }))
    }
}

impl SequenceLine {
    pub(super) fn into_row(self) -> Result<Row, Misfit> {
        token(self.fencing_token).map(Row::Sequence)
    }
}

fn namespace(text: &str) -> Result<Namespace, Misfit> {
    Namespace::parse_stored(text).map_err(|error| format!("`namespace` {error}"))
}

fn lock_id(text: &str) -> Result<LockId, Misfit> {
    LockId::parse_stored(text).map_err(|error| format!("`lock_id` {error}"))
}

fn process_id(text: &str) -> Result<ProcessId, Misfit> {
    ProcessId::parse_stored(text).map_err(|error| format!("`process_id` {error}"))
}

fn key_id(field: &str, text: &str) -> Result<KeyId, Misfit> {
    KeyId::parse_stored(text).map_err(|error| format!("`{field}` {error}"))
}

fn note(text: &str) -> Result<Note, Misfit> {
    Note::parse_stored(text).map_err(|error| format!("`note` {error}"))
}

fn idempotency_key(text: &str) -> Result<IdempotencyKey, Misfit> {
    IdempotencyKey::parse_stored(text).map_err(|error| format!("`idempotency_key` {error}"))
}

fn token(number: u64) -> Result<FencingToken, Misfit> {
    FencingToken::new(number)
        .ok_or_else(|| format!("`fencing_token` is above the highest, {}", FencingToken::MAX))
}

fn hold_key(
    of_namespace: &str,
    of_lock: &str,
    mode: ModeWord,
    of_process: &str,
) -> Result<HoldKey, Misfit> {
    Ok(HoldKey {
        namespace: namespace(of_namespace)?,
        lock_id: lock_id(of_lock)?,
        mode: mode.into(),
        process_id: process_id(of_process)?,
    })
}

/// Two enums of the same words, there and back.
macro_rules! words {
    ($word:ident, $core:ident: $($name:ident)+) => {
        impl From<$core> for $word {
            fn from(value: $core) -> Self {
                match value {
                    $($core::$name => Self::$name,)+
                }
            }
        }

        impl From<$word> for $core {
            fn from(word: $word) -> Self {
                match word {
                    $($word::$name => Self::$name,)+
                }
            }
        }
    };
}

words!(ModeWord, Mode: Read Write);
words!(CauseWord, EndCause: Released Expired Forced Converted);
words!(RoleWord, Role: Read Write Admin);
