//! A page of the past holds of a lock's name.

use leasehold_core::{KeyId, LockId, Note, PastHold};
use serde::Serialize;
use utoipa::ToSchema;

use super::process::Cause;
use super::{HoldMode, Rfc3339};
use crate::cursor;

/// A page of the past holds of a lock's name.
#[derive(Serialize, ToSchema)]
pub(crate) struct History<'a> {
    /// The lock's name.
    #[schema(min_length = 1, max_length = 255)]
    lock_id: &'a str,
    /// The newest first, by when the holds ended.
    history: Vec<Past<'a>>,
    /// Where the next page begins; null at the end.
    next_cursor: Option<String>,
}

/// A hold that is over.
#[derive(Serialize, ToSchema)]
#[schema(as = PastHold)]
pub(crate) struct Past<'a> {
    /// Who held the lock.
    #[schema(min_length = 1, max_length = 255)]
    process_id: &'a str,
    mode: HoldMode,
    /// The token that the hold had. No two holds ever have the same, whatever becomes of the lock.
    #[schema(minimum = 1)]
    fencing_token: u64,
    /// When the process acquired the lock, UTC.
    #[schema(value_type = String, format = DateTime)]
    lock_acquired_at: Rfc3339,
    /// When the hold ended, UTC.
    #[schema(value_type = String, format = DateTime)]
    ended_at: Rfc3339,
    cause: Cause,
    /// The id of the API key that released the hold or broke the lock, or `LEASEHOLD_API_KEY` for the key
    /// of the settings. Null for all other causes, for a grant that was taken back because its caller had
    /// hung up, and in dev mode.
    ended_by: Option<&'a str>,
    /// What the process said about its hold; null if nothing.
    #[schema(max_length = 256)]
    note: Option<&'a str>,
}

impl<'a> History<'a> {
    pub(crate) fn new(lock_id: &'a LockId, past: &'a [PastHold], next: Option<u64>) -> Self {
        Self {
            lock_id: lock_id.as_str(),
            history: past.iter().map(Past::from).collect(),
            next_cursor: next.map(cursor::after_past),
        }
    }
}

impl<'a> From<&'a PastHold> for Past<'a> {
    fn from(past: &'a PastHold) -> Self {
        Self {
            process_id: past.process_id.as_str(),
            mode: past.mode.into(),
            fencing_token: past.token.get(),
            lock_acquired_at: Rfc3339(past.acquired_at),
            ended_at: Rfc3339(past.ended_at),
            cause: past.cause.into(),
            ended_by: past.by.as_ref().map(KeyId::as_str),
            note: past.note.as_ref().map(Note::as_str),
        }
    }
}
