//! A lock and the processes that hold it.

use leasehold_core::{HoldView, LockState, LockView, Note};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Rfc3339, Uuid, whole_ms};

/// A lock at the moment of the reply.
#[derive(Serialize, ToSchema)]
pub(crate) struct Lock<'a> {
    /// Its UUID; a lock that is created anew under an old name has a new one.
    #[schema(value_type = String, format = "uuid")]
    id: Uuid,
    /// Its name.
    #[schema(min_length = 1, max_length = 255)]
    lock_id: &'a str,
    /// Whether it takes at most one writer at a time.
    is_write_exclusive: bool,
    /// Readers that it takes at a time; null without a limit of its own.
    #[schema(minimum = 1)]
    max_readers: Option<u32>,
    /// Writers that it takes at a time; null without a limit of its own.
    #[schema(minimum = 1)]
    max_writers: Option<u32>,
    /// Whether it disappears when its last hold and waiter are gone.
    is_ephemeral: bool,
    current_state: State,
    /// Readers, in the order in which they acquired. A refusal or a minimal reply lists fewer than
    /// `read_process_count`.
    read_process_list: Vec<Process<'a>>,
    /// Writers, in the order in which they acquired. A refusal or a minimal reply lists fewer than
    /// `write_process_count`.
    write_process_list: Vec<Process<'a>>,
    /// How many readers hold it.
    read_process_count: usize,
    /// How many writers hold it.
    write_process_count: usize,
    /// How many requests stand in line for it.
    waiter_count: usize,
    /// When it was created, UTC.
    #[schema(value_type = String, format = DateTime)]
    created_at: Rfc3339,
    /// When a hold of it was last granted or ended, UTC.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Rfc3339,
}

/// What a lock is doing.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = LockState)]
pub(crate) enum State {
    /// Nobody holds it.
    Free,
    /// Readers hold it.
    Read,
    /// Writers hold it.
    Write,
}

/// A process that holds the lock.
#[derive(Serialize, ToSchema)]
pub(crate) struct Process<'a> {
    /// Its name, as it chose it.
    #[schema(min_length = 1, max_length = 255)]
    process_id: &'a str,
    /// When it acquired the lock, UTC.
    #[schema(value_type = String, format = DateTime)]
    lock_acquired_at: Rfc3339,
    /// How long the hold lasts without a refresh, in seconds.
    #[schema(minimum = 1)]
    timeout: u32,
    /// When the hold expires, UTC, as the wall clock stands now. To measure, use `remaining_ms`.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Rfc3339,
    /// How long the hold still lasts, in milliseconds.
    remaining_ms: u64,
    /// Grows with every grant of the whole service. A resource that refuses lower tokens than the
    /// highest it has seen is safe from holders that were paused past their timeout.
    #[schema(minimum = 1)]
    fencing_token: u64,
    /// What the process says about its hold; null if nothing.
    #[schema(max_length = 256)]
    note: Option<&'a str>,
}

impl<'a> From<&'a LockView> for Lock<'a> {
    fn from(view: &'a LockView) -> Self {
        Self {
            id: Uuid(view.uid),
            lock_id: view.lock_id.as_str(),
            is_write_exclusive: view.kind.is_write_exclusive(),
            max_readers: view.kind.max_readers,
            max_writers: view.kind.max_writers,
            is_ephemeral: view.kind.is_ephemeral,
            current_state: view.state.into(),
            read_process_list: by_token(&view.readers),
            write_process_list: by_token(&view.writers),
            read_process_count: view.reader_count,
            write_process_count: view.writer_count,
            waiter_count: view.waiter_count,
            created_at: Rfc3339(view.created_at),
            updated_at: Rfc3339(view.updated_at),
        }
    }
}

impl<'a> From<&'a HoldView> for Process<'a> {
    fn from(view: &'a HoldView) -> Self {
        Self {
            process_id: view.process_id.as_str(),
            lock_acquired_at: Rfc3339(view.acquired_at),
            timeout: view.timeout.get(),
            expires_at: Rfc3339(view.expires_at),
            remaining_ms: whole_ms(view.remaining),
            fencing_token: view.token.get(),
            note: view.note.as_ref().map(Note::as_str),
        }
    }
}

impl From<LockState> for State {
    fn from(state: LockState) -> Self {
        match state {
            LockState::Free => Self::Free,
            LockState::Read => Self::Read,
            LockState::Write => Self::Write,
        }
    }
}

/// Tokens grow with every grant, so their order is the order of acquisition.
fn by_token(holds: &[HoldView]) -> Vec<Process<'_>> {
    let mut list: Vec<Process<'_>> = holds.iter().map(Process::from).collect();
    list.sort_unstable_by_key(|process| process.fencing_token);
    list
}
