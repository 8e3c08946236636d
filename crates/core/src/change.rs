//! What can happen to the table: the only input of [`crate::Table::apply`], live and in recovery.

use crate::command::HoldKey;
use crate::id::{KeyId, LockId, LockUid, Namespace};
use crate::key::ApiKey;
use crate::time::{Mono, TimeoutSecs, Wall};
use crate::token::FencingToken;

/// How a hold came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndCause {
    /// Its holder gave it back.
    Released,
    /// Its timeout passed.
    Expired,
}

/// One step of the table's history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A lock came into being.
    LockCreated {
        /// Its namespace.
        namespace: Namespace,
        /// Its name.
        lock_id: LockId,
        /// Its UUID.
        uid: LockUid,
        /// At most one writer at a time.
        is_write_exclusive: bool,
        /// When it was created.
        created_at: Wall,
        /// When a hold of it was last granted or ended.
        updated_at: Wall,
    },
    /// A process got a hold.
    Granted {
        /// The hold.
        hold: HoldKey,
        /// Its fencing token, higher than any before.
        token: FencingToken,
        /// How long it lasts without a refresh.
        timeout: TimeoutSecs,
        /// When it was granted.
        acquired_at: Wall,
        /// When it expires.
        deadline: Mono,
    },
    /// A hold's timeout started anew.
    Refreshed {
        /// The hold.
        hold: HoldKey,
        /// How long it lasts from now.
        timeout: TimeoutSecs,
        /// When it now expires.
        deadline: Mono,
        /// Whether the timeout's length changed, which is a fact to keep. If not, the refresh changes
        /// no row, because recovery starts every timeout anew anyway (I4).
        timeout_changed: bool,
    },
    /// A hold is over.
    Ended {
        /// The hold.
        hold: HoldKey,
        /// How it ended.
        cause: EndCause,
        /// When it ended.
        at: Wall,
    },
    /// Tokens up to here have been given out: read back in recovery.
    SequenceAdvanced(FencingToken),
    /// An API key was admitted.
    KeyCreated(ApiKey),
    /// An API key was shut out.
    KeyRevoked(KeyId),
}
