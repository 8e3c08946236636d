//! What a caller can ask of the table. Everything in a command has been checked already.

use crate::id::{KeyId, LockId, LockUid, Namespace, ProcessId};
use crate::key::ApiKey;
use crate::time::TimeoutSecs;

/// Shared or exclusive: how a process holds a lock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mode {
    /// Shared with other readers, never with a writer.
    Read,
    /// Never with a reader; with other writers unless the lock is write-exclusive.
    Write,
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

/// One request to the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Make a lock that does not exist yet.
    CreateLock {
        /// The caller's namespace.
        namespace: Namespace,
        /// The lock's name.
        lock_id: LockId,
        /// The UUID it will have; drawn by the caller because core has no randomness.
        uid: LockUid,
        /// At most one writer at a time.
        is_write_exclusive: bool,
    },
    /// Look at a lock.
    GetLock {
        /// The caller's namespace.
        namespace: Namespace,
        /// The lock's name.
        lock_id: LockId,
    },
    /// Take a hold.
    Acquire {
        /// The hold to take.
        hold: HoldKey,
        /// How long it lasts without a refresh.
        timeout: TimeoutSecs,
        /// How much the reply shows.
        detail: Detail,
    },
    /// Start a hold's timeout anew.
    Refresh {
        /// The hold, which must still be held.
        hold: HoldKey,
        /// How long it lasts from now.
        timeout: TimeoutSecs,
        /// How much the reply shows.
        detail: Detail,
    },
    /// Give a hold back.
    Release {
        /// The hold, which must still be held.
        hold: HoldKey,
        /// How much the reply shows.
        detail: Detail,
    },
    /// Admit a new API key.
    CreateKey(ApiKey),
    /// List the keys of one namespace, or of all.
    ListKeys {
        /// `None` for all namespaces.
        namespace: Option<Namespace>,
    },
    /// Shut an API key out.
    RevokeKey {
        /// The key's public name.
        key_id: KeyId,
        /// Only if the key belongs to this namespace; `None` for any.
        namespace: Option<Namespace>,
    },
}
