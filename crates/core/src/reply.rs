//! What the table answers: the lock as it stands, or why not.

use std::time::Duration;

use thiserror::Error;

use crate::command::Mode;
use crate::id::{LockId, LockUid, Namespace, ProcessId};
use crate::key::ApiKey;
use crate::time::{TimeoutSecs, Wall};
use crate::token::FencingToken;

/// What a lock is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockState {
    /// Nobody holds it.
    Free,
    /// Readers hold it.
    Read,
    /// Writers hold it.
    Write,
}

/// A hold at the moment of the reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HoldView {
    /// Who holds it.
    pub process_id: ProcessId,
    /// Its fencing token.
    pub token: FencingToken,
    /// How long it lasts without a refresh.
    pub timeout: TimeoutSecs,
    /// When it was granted.
    pub acquired_at: Wall,
    /// How long it still lasts.
    pub remaining: Duration,
    /// When it expires, as the wall clock stands now.
    pub expires_at: Wall,
}

/// A lock at the moment of the reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LockView {
    /// Its UUID.
    pub uid: LockUid,
    /// Its name.
    pub lock_id: LockId,
    /// At most one writer at a time.
    pub is_write_exclusive: bool,
    /// What it is doing.
    pub state: LockState,
    /// When it was created.
    pub created_at: Wall,
    /// When a hold of it was last granted or ended.
    pub updated_at: Wall,
    /// Readers that the reply lists; all of them, or fewer where that was asked for or is enough.
    pub readers: Vec<HoldView>,
    /// Writers that the reply lists.
    pub writers: Vec<HoldView>,
    /// How many readers there are.
    pub reader_count: usize,
    /// How many writers there are.
    pub writer_count: usize,
}

/// A granted request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// The lock as it stands after the command.
    Lock(LockView),
    /// The key that was made or revoked.
    Key(ApiKey),
    /// The keys that were asked for, by key id.
    Keys(Vec<ApiKey>),
}

/// Why a command was refused. Nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Refusal {
    /// A lock of that name exists.
    #[error("a lock named {:?} exists already", .0.lock_id.as_str())]
    LockExists(Box<LockView>),
    /// No lock has that name.
    #[error("there is no lock named {:?}", .0.as_str())]
    NoSuchLock(LockId),
    /// Others hold the lock in a way that excludes the caller.
    #[error("{}", held_text(.0))]
    Held(Box<LockView>),
    /// The process holds the lock in this mode already.
    #[error("process {:?} holds the lock already in mode {}; refresh it instead", .process_id.as_str(), mode_word(*.mode))]
    AlreadyHeld {
        /// The process.
        process_id: ProcessId,
        /// The mode.
        mode: Mode,
        /// The lock as it stands.
        lock: Box<LockView>,
    },
    /// A refresh of what the process does not hold: it expired, was released, or never was (I5).
    #[error("process {:?} does not hold the lock in mode {}: it expired, was released, or was never acquired", .process_id.as_str(), mode_word(*.mode))]
    NotHeld {
        /// The process.
        process_id: ProcessId,
        /// The mode.
        mode: Mode,
        /// The lock as it stands.
        lock: Box<LockView>,
    },
    /// A release of what the process does not hold.
    #[error("process {:?} has nothing to release in mode {}: it expired, was released, or was never acquired", .process_id.as_str(), mode_word(*.mode))]
    NothingToRelease {
        /// The process.
        process_id: ProcessId,
        /// The mode.
        mode: Mode,
        /// The lock as it stands.
        lock: Box<LockView>,
    },
    /// The timeout is longer than the service allows.
    #[error("a timeout of {asked} seconds is too long; this service allows 1 to {max}")]
    TimeoutTooLong {
        /// What was asked for, in seconds.
        asked: u32,
        /// The longest allowed, in seconds.
        max: u32,
    },
    /// The namespace is full.
    #[error("namespace {:?} has {max} locks, which is its limit", .namespace.as_str())]
    TooManyLocks {
        /// The namespace.
        namespace: Namespace,
        /// Its limit.
        max: usize,
    },
    /// The lock is full.
    #[error("the lock has {max} holders, which is the limit")]
    TooManyHolders {
        /// The limit.
        max: usize,
    },
    /// Every fencing token has been given out.
    #[error("the sequence of fencing tokens is used up")]
    TokensExhausted,
    /// The service has as many keys as it may.
    #[error("the service has {max} API keys, which is the limit; revoke some")]
    TooManyKeys {
        /// The limit.
        max: usize,
    },
    /// A key of that id exists.
    #[error("an API key with the id {0:?} exists already")]
    KeyExists(String),
    /// No key has that id.
    #[error("there is no API key with the id {0:?}")]
    NoSuchKey(String),
}

fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Read => "READ",
        Mode::Write => "WRITE",
    }
}

fn held_text(lock: &LockView) -> String {
    let name = lock.lock_id.as_str();
    match lock.state {
        LockState::Read => format!("lock {name:?} is held by {} reader(s)", lock.reader_count),
        LockState::Write if lock.is_write_exclusive => {
            format!("lock {name:?} is write-exclusive and has a writer")
        }
        LockState::Write => format!("lock {name:?} is held by {} writer(s)", lock.writer_count),
        LockState::Free => format!("lock {name:?} is free"),
    }
}
