//! What happened to a lock, as those who follow it are told.

use crate::change::EndCause;
use crate::command::Mode;
use crate::id::{KeyId, LockId, Namespace, Note, ProcessId};
use crate::time::{TimeoutSecs, Wall};
use crate::token::FencingToken;

/// Something that happened to one lock. Events that are read in order tell at every point who holds the
/// lock and who stands in line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// The lock's namespace.
    pub namespace: Namespace,
    /// The lock.
    pub lock_id: LockId,
    /// When it happened.
    pub at: Wall,
    /// What happened.
    pub kind: EventKind,
}

/// Whom an event is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Party {
    /// The process.
    pub process_id: ProcessId,
    /// How it holds the lock, or wants to.
    pub mode: Mode,
    /// What it says about itself.
    pub note: Option<Note>,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EventKind {
    /// The lock came into being.
    Created,
    /// A process got a hold.
    Granted {
        /// Who.
        holder: Party,
        /// The hold's token.
        token: FencingToken,
        /// How long it lasts without a refresh.
        timeout: TimeoutSecs,
    },
    /// A process stands in line. Coming back to its place is no event.
    Queued {
        /// Who.
        waiter: Party,
        /// Its place; 1 is next.
        position: usize,
    },
    /// A waiter is out of the line without a grant.
    LeftLine {
        /// Who.
        waiter: Party,
        /// Why.
        why: Leaving,
    },
    /// A hold's timeout started anew.
    Refreshed {
        /// Whose.
        holder: Party,
        /// The hold's token.
        token: FencingToken,
        /// How long it lasts from now.
        timeout: TimeoutSecs,
    },
    /// A hold is over.
    Ended {
        /// Whose.
        holder: Party,
        /// The token that it had.
        token: FencingToken,
        /// How it ended. After [`EndCause::Converted`] the grant in the other mode follows.
        cause: EndCause,
        /// The API key that ended it, if one did and is known.
        by: Option<KeyId>,
    },
    /// The lock is gone.
    Deleted,
}

/// Why a waiter is out of the line without a grant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaving {
    /// Its caller is gone, or was turned away.
    HungUp,
    /// Its wait timed out.
    TimedOut,
    /// It lost the hold that it was to upgrade.
    LostHold,
    /// The lock was broken.
    LockDeleted,
    /// The API key that it waited with was revoked.
    KeyRevoked,
}
