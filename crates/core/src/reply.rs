//! What the table answers: the lock as it stands, or why not.

use std::time::Duration;

use thiserror::Error;

use crate::change::EndCause;
use crate::command::{Command, HoldKey, LockKind, Mode};
use crate::history::PastHold;
use crate::id::{IdempotencyKey, KeyId, LockId, LockUid, Namespace, Note, ProcessId};
use crate::key::{ApiKey, LimitsError};
use crate::time::{Mono, TimeoutSecs, Wall};
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
    /// How long it still lasts at least.
    pub remaining: Duration,
    /// When it expires at the earliest.
    pub deadline: Mono,
    /// When it expires at the earliest, as the wall clock stands now.
    pub expires_at: Wall,
    /// What its holder says about it.
    pub note: Option<Note>,
}

/// A lock at the moment of the reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LockView {
    /// Its UUID.
    pub uid: LockUid,
    /// Its name.
    pub lock_id: LockId,
    /// What it allows.
    pub kind: LockKind,
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
    /// How many stand in line.
    pub waiter_count: usize,
}

/// One lock that an acquire got, and the caller's hold of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// What the caller now holds.
    pub key: HoldKey,
    /// The caller's hold.
    pub hold: HoldView,
    /// The lock as it stands after the grant.
    pub lock: LockView,
}

/// One hold of a process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProcessHold {
    /// The lock.
    pub lock_id: LockId,
    /// How it is held.
    pub mode: Mode,
    /// The hold.
    pub hold: HoldView,
}

/// A hold that a process lost: it expired, or an admin broke the lock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LostHold {
    /// The lock.
    pub lock_id: LockId,
    /// How it was held.
    pub mode: Mode,
    /// The token that the hold had.
    pub token: FencingToken,
    /// How it ended.
    pub cause: EndCause,
    /// When it ended.
    pub ended_at: Wall,
}

/// Somebody whom a waiter has to wait for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blocker {
    /// The process.
    pub process_id: ProcessId,
    /// How it holds the lock, or wants to.
    pub mode: Mode,
    /// It holds the lock; otherwise it stands ahead in line.
    pub is_holder: bool,
}

/// One process in line for one lock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitView {
    /// The lock.
    pub lock_id: LockId,
    /// Who waits.
    pub process_id: ProcessId,
    /// For what.
    pub mode: Mode,
    /// Its place; 1 is next.
    pub position: usize,
    /// Its first blockers: holders, then those ahead in line.
    pub blockers: Vec<Blocker>,
    /// How long it will still wait.
    pub remaining: Duration,
    /// What it says about itself.
    pub note: Option<Note>,
}

/// One step of a cycle: this process waits for this lock, which the next one holds or is ahead for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CycleStep {
    /// Who waits.
    pub process_id: ProcessId,
    /// For which lock.
    pub lock_id: LockId,
    /// In which mode.
    pub mode: Mode,
}

/// What one command came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The caller has its answer.
    Done(Result<Reply, Refusal>),
    /// The caller stands in line; [`crate::Effects::settled`] will name the ticket.
    Waiting(crate::line::Ticket),
    /// The command is carried out in part. The rest is for a later batch, and only then has the caller its
    /// answer: all parts, one after another.
    Continues {
        /// The rest. It is not refused any more; if there is nothing left to do, the parts are the answer.
        next: Box<Command>,
        /// What this step adds to the answer.
        part: Box<Reply>,
    },
}

/// A granted request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// The lock as it stands after the command.
    Lock(LockView),
    /// What an acquire got, in the order of what it wanted.
    Granted(Vec<Grant>),
    /// A page of locks, and where the next one begins.
    Locks {
        /// The locks, by name.
        locks: Vec<LockView>,
        /// Ask for names after this one; `None` at the end.
        next: Option<LockId>,
    },
    /// A process as a whole.
    Process {
        /// All that it holds, by lock and mode.
        holds: Vec<ProcessHold>,
        /// What it lost since it was told last, the oldest first: at most the newest
        /// [`crate::MAX_LOST_HOLDS`] of each process and those of the last [`crate::MAX_LOSERS`], and not
        /// remembered across a restart. What counts is what it holds.
        lost: Vec<LostHold>,
    },
    /// A page of the past holds of a lock's name, and where the next one begins.
    History {
        /// The past holds, the newest first.
        past: Vec<PastHold>,
        /// Ask for those before this number; `None` at the end.
        next: Option<u64>,
    },
    /// Who waits, in the order of tickets.
    Waits(Vec<WaitView>),
    /// The key that was made, limited or revoked.
    Key(ApiKey),
    /// The keys that were asked for, by key id.
    Keys(Vec<ApiKey>),
}

impl Reply {
    /// Adds what a later step of the same command shows.
    pub fn extend(&mut self, part: Self) {
        match (self, part) {
            (Self::Lock(lock), Self::Lock(more)) => {
                lock.readers.extend(more.readers);
                lock.writers.extend(more.writers);
            }
            (Self::Process { holds, lost }, Self::Process { holds: more, lost: more_lost }) => {
                holds.extend(more);
                lost.extend(more_lost);
            }
            // All other commands take one step, or show the same at each.
            _ => {}
        }
    }
}

/// What a key may have of its namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quota {
    /// Locks.
    Locks,
    /// Holds, and those that requests in line wait for.
    Holds,
    /// Requests in line.
    Waiters,
}

impl Quota {
    /// What the limit is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Locks => "max_locks",
            Self::Holds => "max_holds",
            Self::Waiters => "max_waiters",
        }
    }

    fn counted(self) -> &'static str {
        match self {
            Self::Locks => "locks",
            Self::Holds => "holds, with those that are waited for",
            Self::Waiters => "requests in line",
        }
    }
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
    /// The lock that the caller waited for was deleted by force.
    #[error("lock {:?} was deleted while you waited", .0.as_str())]
    LockDeleted(LockId),
    /// The caller wants to make a lock of another kind than the one that is there.
    #[error(
        "lock {:?} has {}, and you want one with {}",
        .lock.lock_id.as_str(), kind_text(.lock.kind), kind_text(*.wanted)
    )]
    LockDiffers {
        /// What the caller wants.
        wanted: LockKind,
        /// The lock as it stands.
        lock: Box<LockView>,
    },
    /// A refresh of a hold that is over and whose lock is gone, as far as history knows (I5).
    #[error(
        "process {:?} does not hold lock {:?} in mode {}: its hold with token {token} {}, and the lock \
         is gone",
        .hold.process_id.as_str(), .hold.lock_id.as_str(), mode_word(.hold.mode), ended_text(*.cause)
    )]
    HoldOver {
        /// The hold that the caller means.
        hold: HoldKey,
        /// The token that it had.
        token: FencingToken,
        /// How it ended.
        cause: EndCause,
    },
    /// Others hold the lock in a way that excludes the caller, or stand in line before it.
    #[error("{}", held_text(.0))]
    Held(Box<LockView>),
    /// The wait timed out. The order of the request is kept for a moment, in case it is sent again.
    #[error("still at place {position} in line for lock {:?}; ask again within {} s to keep your order", .lock.lock_id.as_str(), crate::limits::GRACE.as_secs())]
    WaitTimedOut {
        /// Its place; 1 is next.
        position: usize,
        /// Whom it waits for.
        blockers: Vec<Blocker>,
        /// The lock as it stands.
        lock: Box<LockView>,
    },
    /// Waiting would never end: those whom the caller would wait for wait for the caller.
    #[error("waiting would close a circle: {}", cycle_text(.0))]
    Deadlock(Vec<CycleStep>),
    /// The process is in line for this lock and mode already, as part of another request.
    #[error("process {:?} stands in line for lock {:?} in this mode already, with another request", .process_id.as_str(), .lock_id.as_str())]
    AlreadyWaiting {
        /// The process.
        process_id: ProcessId,
        /// The lock.
        lock_id: LockId,
    },
    /// A newer request of the same process has taken over the place in line.
    #[error("a newer request of the same process waits in this place now")]
    Superseded,
    /// No more waiters are taken on.
    #[error("{max} requests wait {scope}, which is the limit")]
    TooManyWaiters {
        /// Where: "for this lock", "in this namespace" or "in the service".
        scope: &'static str,
        /// The limit there.
        max: usize,
    },
    /// The hold has another token: the caller's hold ended, and the process acquired it again since.
    #[error("the hold has token {current}, not {given}: the hold that you mean is over")]
    StaleToken {
        /// The token in the request.
        given: FencingToken,
        /// The hold's token.
        current: FencingToken,
        /// The lock as it stands.
        lock: Box<LockView>,
    },
    /// The lock is in use, so it cannot be deleted.
    #[error("lock {:?} is in use; release it first, or break it with force", .0.lock_id.as_str())]
    NotFree(Box<LockView>),
    /// The process holds nothing.
    #[error("process {:?} holds nothing", .0.as_str())]
    ProcessHoldsNothing(ProcessId),
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
    #[error("the timeout is too long; this service allows 1 to {max} seconds")]
    TimeoutTooLong {
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
    /// The caller's key does not let it bring its namespace so far.
    #[error("the namespace has {count} {}; {more} more would be past the quota of your key, whose `{}` is {max}", .quota.counted(), .quota.name())]
    QuotaExceeded {
        /// Which quota.
        quota: Quota,
        /// What it is.
        max: u32,
        /// What the namespace has of it.
        count: usize,
        /// What the command would add.
        more: usize,
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
    /// A key cannot have such limits.
    #[error(transparent)]
    BadLimits(#[from] LimitsError),
    /// The API key that the request was made with has been revoked since.
    #[error("the API key of this request has been revoked")]
    KeyRevoked,
    /// The lock is being deleted, in steps: its last holds are about to end.
    #[error("the lock {:?} is being deleted", .0.as_str())]
    LockBeingDeleted(LockId),
    /// The request was carried out before, and what it was granted is over.
    #[error("this request was granted {} of lock {:?} with fencing token {token} before, and that hold is over; to acquire it again, send a request with another Idempotency-Key", mode_word(.hold.mode), .hold.lock_id.as_str())]
    RequestOver {
        /// What it held.
        hold: HoldKey,
        /// The token that the hold had.
        token: FencingToken,
    },
    /// The request was carried out before, and made a key whose secret cannot be shown again.
    #[error("this request made the API key {:?} before, whose secret was shown once; revoke that key, and ask for another one with another Idempotency-Key", .0.as_str())]
    KeyShownBefore(KeyId),
    /// Another request had the same idempotency key.
    #[error("the Idempotency-Key {:?} belongs to an earlier request that asked for something else; draw a new key for each request", .0.as_str())]
    IdempotencyKeyReused(IdempotencyKey),
    /// No key has that id.
    #[error("there is no API key with the id {0:?}")]
    NoSuchKey(String),
}

fn kind_text(kind: LockKind) -> String {
    let number = |max: Option<u32>| max.map_or("none".to_owned(), |max| max.to_string());
    let LockKind { max_readers, max_writers, is_ephemeral } = kind;
    let (writers, readers) = (number(max_writers), number(max_readers));
    format!("`max_writers` {writers}, `max_readers` {readers}, `ephemeral` {is_ephemeral}")
}

fn ended_text(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Released => "was released",
        EndCause::Expired => "expired",
        EndCause::Forced => "was ended by force",
        EndCause::Converted => "became one of the other mode",
    }
}

fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Read => "READ",
        Mode::Write => "WRITE",
    }
}

fn held_text(lock: &LockView) -> String {
    let name = lock.lock_id.as_str();
    let mut text = match lock.state {
        LockState::Read => format!("lock {name:?} is held by {} reader(s)", lock.reader_count),
        LockState::Write if lock.kind.is_write_exclusive() => {
            format!("lock {name:?} is write-exclusive and has a writer")
        }
        LockState::Write => format!("lock {name:?} is held by {} writer(s)", lock.writer_count),
        LockState::Free => format!("lock {name:?} is free"),
    };
    if lock.waiter_count > 0 {
        text += &format!(", and {} request(s) stand in line for it", lock.waiter_count);
    }
    text
}

fn cycle_text(cycle: &[CycleStep]) -> String {
    let steps: Vec<String> = cycle
        .iter()
        .map(|step| {
            let (process, lock) = (step.process_id.as_str(), step.lock_id.as_str());
            format!("{process:?} waits for {lock:?} ({})", mode_word(step.mode))
        })
        .collect();
    steps.join(", ")
}
