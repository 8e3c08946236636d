//! What a caller can ask of the table. Everything in a command has been checked already.

use std::time::Duration;

use crate::id::{KeyId, LockId, LockUid, Namespace, Note, ProcessId};
use crate::key::{ApiKey, LimitsPatch, Quotas};
use crate::reply::LockState;
use crate::time::TimeoutSecs;
use crate::token::FencingToken;

/// Shared or exclusive: how a process holds a lock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mode {
    /// Shared with other readers, never with a writer.
    Read,
    /// Never with a reader; with as many other writers as the lock permits.
    Write,
}

impl Mode {
    /// The mode that excludes this one.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Read => Self::Write,
            Self::Write => Self::Read,
        }
    }
}

/// Names one hold: at most one for each process, mode and lock.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct HoldKey {
    /// The lock's namespace.
    pub namespace: Namespace,
    /// The lock.
    pub lock_id: LockId,
    /// How it is held.
    pub mode: Mode,
    /// Who holds it.
    pub process_id: ProcessId,
}

/// How many holders a reply lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// Every holder.
    Full,
    /// Only the caller's own hold (`Prefer: return=minimal`).
    Own,
}

/// What a lock allows. `None` is without a limit of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LockKind {
    /// Readers at a time, at least 1.
    pub max_readers: Option<u32>,
    /// Writers at a time, at least 1; 1 is a write-exclusive lock.
    pub max_writers: Option<u32>,
    /// The lock disappears when its last hold and waiter are gone.
    pub is_ephemeral: bool,
}

impl LockKind {
    /// Whether only one writer may hold it at a time.
    #[must_use]
    pub fn is_write_exclusive(self) -> bool {
        self.max_writers == Some(1)
    }
}

/// A lock to make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewLock {
    /// The UUID it will have; drawn by the caller because core has no randomness.
    pub uid: LockUid,
    /// What it allows.
    pub kind: LockKind,
    /// Whether an acquire wants a lock of this kind, and none of another that is there already.
    pub must_match: bool,
}

/// One lock of an acquire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Want {
    /// The lock.
    pub lock_id: LockId,
    /// How to hold it.
    pub mode: Mode,
    /// Make the lock like this if there is none.
    pub create_if_missing: Option<NewLock>,
}

/// Take one hold, or several at once: all or none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acquire {
    /// The caller's namespace.
    pub namespace: Namespace,
    /// Who will hold the locks.
    pub process_id: ProcessId,
    /// The locks; each at most once, at least one, at most [`MAX_WANTS`].
    pub wants: Vec<Want>,
    /// On what terms.
    pub terms: Terms,
    /// How long to stand in line; zero to be refused at once.
    pub wait: Duration,
    /// How far the caller may fill the namespace.
    pub quotas: Quotas,
}

impl Acquire {
    /// The holds that it asks for, in the order in which it names them.
    #[must_use]
    pub fn holds(&self) -> Vec<HoldKey> {
        let hold = |want: &Want| HoldKey {
            namespace: self.namespace.clone(),
            lock_id: want.lock_id.clone(),
            mode: want.mode,
            process_id: self.process_id.clone(),
        };
        self.wants.iter().map(hold).collect()
    }
}

/// On what terms holds are asked for and granted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// How long the holds last without a refresh.
    pub timeout: TimeoutSecs,
    /// Kept with the holds and shown to people.
    pub note: Option<Note>,
    /// How much the reply shows.
    pub detail: Detail,
}

/// Most locks that one acquire may take (I7).
pub const MAX_WANTS: usize = 64;

/// Which locks a list shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListLocks {
    /// The caller's namespace.
    pub namespace: Namespace,
    /// Only names that begin like this; may be empty.
    pub prefix: String,
    /// Only locks in this state.
    pub state: Option<LockState>,
    /// Only locks that this process holds.
    pub process_id: Option<ProcessId>,
    /// Only names after this one.
    pub after: Option<LockId>,
    /// At most so many, 1 to 1000.
    pub limit: usize,
}

/// One request to the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Make a lock that does not exist yet.
    CreateLock {
        /// The caller's namespace.
        namespace: Namespace,
        /// The lock's name.
        lock_id: LockId,
        /// The lock to make.
        new: NewLock,
        /// How far the caller may fill the namespace.
        quotas: Quotas,
    },
    /// Look at a lock.
    GetLock {
        /// The caller's namespace.
        namespace: Namespace,
        /// The lock's name.
        lock_id: LockId,
    },
    /// Look through the locks of a namespace, in the order of their names.
    ListLocks(ListLocks),
    /// Remove a lock that nobody holds, or break it.
    DeleteLock {
        /// The caller's namespace.
        namespace: Namespace,
        /// The lock's name.
        lock_id: LockId,
        /// End its holds and turn its waiters away first.
        force: bool,
        /// Whether an earlier step has begun it: see [`crate::Outcome::Continues`].
        is_begun: bool,
    },
    /// Take holds, standing in line if need be.
    Acquire(Acquire),
    /// Start a hold's timeout anew.
    Refresh {
        /// The hold, which must still be held.
        hold: HoldKey,
        /// Only if the hold has this token.
        token: Option<FencingToken>,
        /// How long it lasts from now.
        timeout: TimeoutSecs,
        /// How much the reply shows.
        detail: Detail,
    },
    /// Give a hold back.
    Release {
        /// The hold, which must still be held.
        hold: HoldKey,
        /// Only if the hold has this token.
        token: Option<FencingToken>,
        /// How much the reply shows.
        detail: Detail,
    },
    /// Turn a writer into a reader, at once, with a new token.
    Downgrade {
        /// The hold for writing.
        hold: HoldKey,
        /// On what terms to hold it for reading.
        terms: Terms,
    },
    /// Turn the only reader into a writer, with a new token.
    Upgrade {
        /// The hold for reading.
        hold: HoldKey,
        /// On what terms to hold it for writing.
        terms: Terms,
        /// How long to wait for the other readers to go; zero to be refused at once.
        wait: Duration,
        /// How far the caller may fill the namespace.
        quotas: Quotas,
    },
    /// Look at all that a process holds.
    GetProcess {
        /// The caller's namespace.
        namespace: Namespace,
        /// The process.
        process_id: ProcessId,
    },
    /// Start the timeouts of all that a process holds anew.
    RefreshProcess {
        /// The caller's namespace.
        namespace: Namespace,
        /// The process.
        process_id: ProcessId,
        /// How long the holds last from now; `None` for the length that each has.
        timeout: Option<TimeoutSecs>,
        /// Lost holds, by their tokens, that the client has heard of: they are not told again.
        acknowledged: Vec<FencingToken>,
        /// What earlier steps left.
        rest: Option<Rest>,
    },
    /// Give back all that a process holds.
    ReleaseProcess {
        /// The caller's namespace.
        namespace: Namespace,
        /// The process.
        process_id: ProcessId,
        /// What earlier steps left.
        rest: Option<Rest>,
    },
    /// Look at the past holds of a lock's name, the newest first.
    GetHistory {
        /// The caller's namespace.
        namespace: Namespace,
        /// The lock's name; there need not be a lock of that name any more.
        lock_id: LockId,
        /// Only those with a lower number.
        before: Option<u64>,
        /// At most so many, 1 to 1000.
        limit: usize,
    },
    /// Look at who waits for whom.
    GetWaits {
        /// The caller's namespace.
        namespace: Namespace,
    },
    /// Admit a new API key.
    CreateKey(ApiKey),
    /// List the keys of one namespace, or of all.
    ListKeys {
        /// `None` for all namespaces.
        namespace: Option<Namespace>,
    },
    /// Change what bounds the calls that are made with an API key.
    LimitKey {
        /// The key's public name.
        key_id: KeyId,
        /// Only if the key belongs to this namespace; `None` for any.
        namespace: Option<Namespace>,
        /// The limits that change.
        patch: LimitsPatch,
    },
    /// Shut an API key out, and end its waits.
    RevokeKey {
        /// The key's public name.
        key_id: KeyId,
        /// Only if the key belongs to this namespace; `None` for any.
        namespace: Option<Namespace>,
        /// End the holds that it took, too.
        end_holds: bool,
        /// What earlier steps left.
        rest: Option<Box<RestOfKey>>,
    },
}

/// What is left of a command for all holds of a process, after some of its steps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rest {
    /// Holds that were granted later are none of its business.
    pub up_to: FencingToken,
    /// The holds up to this one are done.
    pub after: (LockId, Mode),
}

/// What is left of ending the holds of a key, after some of its steps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RestOfKey {
    /// The key, which is in the table no longer.
    pub key: ApiKey,
    /// The holds of the namespace up to this one, by process, are done.
    pub after: Option<(ProcessId, LockId, Mode)>,
}

impl Command {
    /// Whether it is the rest of one that has been carried out in part.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        match self {
            Self::DeleteLock { is_begun, .. } => *is_begun,
            Self::RefreshProcess { rest, .. } | Self::ReleaseProcess { rest, .. } => rest.is_some(),
            Self::RevokeKey { rest, .. } => rest.is_some(),
            Self::CreateLock { .. }
            | Self::GetLock { .. }
            | Self::ListLocks(_)
            | Self::Acquire(_)
            | Self::Refresh { .. }
            | Self::Release { .. }
            | Self::Downgrade { .. }
            | Self::Upgrade { .. }
            | Self::GetProcess { .. }
            | Self::GetHistory { .. }
            | Self::GetWaits { .. }
            | Self::CreateKey(_)
            | Self::ListKeys { .. }
            | Self::LimitKey { .. } => false,
        }
    }

    /// The process that the command is made for, if it is.
    #[must_use]
    pub fn process(&self) -> Option<(&Namespace, &ProcessId)> {
        match self {
            Self::Acquire(acquire) => Some((&acquire.namespace, &acquire.process_id)),
            Self::Refresh { hold, .. }
            | Self::Release { hold, .. }
            | Self::Downgrade { hold, .. }
            | Self::Upgrade { hold, .. } => Some((&hold.namespace, &hold.process_id)),
            Self::GetProcess { namespace, process_id }
            | Self::RefreshProcess { namespace, process_id, .. }
            | Self::ReleaseProcess { namespace, process_id, .. } => Some((namespace, process_id)),
            Self::CreateLock { .. }
            | Self::GetLock { .. }
            | Self::ListLocks(_)
            | Self::DeleteLock { .. }
            | Self::GetHistory { .. }
            | Self::GetWaits { .. }
            | Self::CreateKey(_)
            | Self::ListKeys { .. }
            | Self::LimitKey { .. }
            | Self::RevokeKey { .. } => None,
        }
    }
}
