//! What can happen to the table: the only input of [`crate::Table::apply`], live and in recovery.

use crate::command::{HoldKey, LockKind};
use crate::event::Leaving;
use crate::history::PastHold;
use crate::id::{IdempotencyKey, KeyId, LockId, LockUid, Namespace, ProcessId};
use crate::key::{ApiKey, KeyLimits};
use crate::line::{Ticket, Waiter};
use crate::lock::Hold;
use crate::origin::RequestId;
use crate::requests::RequestResult;
use crate::time::{Mono, TimeoutSecs, Wall};
use crate::token::FencingToken;

/// How a hold came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndCause {
    /// Its holder gave it back.
    Released,
    /// Its timeout passed.
    Expired,
    /// An admin broke the lock.
    Forced,
    /// Its holder turned it into one of the other mode.
    Converted,
}

/// Which holds a reply has shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shown {
    /// Those of a lock.
    Lock(LockId),
    /// Those of a process.
    Process(ProcessId),
    /// All of the namespace.
    All,
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
        /// What it allows.
        kind: LockKind,
        /// When it was created.
        created_at: Wall,
        /// When a hold of it was last granted or ended.
        updated_at: Wall,
        /// For a request that waits: the lock has a row only once a process holds it.
        is_provisional: bool,
    },
    /// A provisional lock was asked for by name: it stays.
    LockKept {
        /// Its namespace.
        namespace: Namespace,
        /// Its name.
        lock_id: LockId,
    },
    /// A lock is being deleted in steps: no process gets a hold of it any more.
    LockClosed {
        /// Its namespace.
        namespace: Namespace,
        /// Its name.
        lock_id: LockId,
    },
    /// A lock without holds and waiters is gone.
    LockDeleted {
        /// Its namespace.
        namespace: Namespace,
        /// Its name.
        lock_id: LockId,
        /// Whether a row says that there is such a lock.
        has_row: bool,
    },
    /// A process got a hold.
    Granted {
        /// Who holds what, and how.
        hold: HoldKey,
        /// The hold.
        held: Box<Hold>,
    },
    /// A hold's timeout started anew.
    Refreshed {
        /// The hold.
        hold: HoldKey,
        /// How long it lasts from now.
        timeout: TimeoutSecs,
        /// When that is.
        renewed_at: Wall,
        /// When it now expires.
        deadline: Mono,
        /// Whether the timeout's length changed, which is a fact to keep. If not, and unless deadlines are
        /// stored, the refresh changes no row, because recovery starts every timeout anew anyway (I4).
        timeout_changed: bool,
    },
    /// The process is known to have heard of its hold.
    Confirmed(HoldKey),
    /// Holds were shown to clients that may be their holders.
    HoldsShown {
        /// The namespace.
        namespace: Namespace,
        /// Whose holds.
        of: Shown,
        /// Up to this token.
        up_to: FencingToken,
    },
    /// A hold is over.
    Ended {
        /// The hold.
        hold: HoldKey,
        /// How it ended.
        cause: EndCause,
        /// When it ended.
        at: Wall,
        /// The API key that ended it, if one did and is known.
        by: Option<KeyId>,
    },
    /// The oldest past hold of a lock's name is forgotten.
    PastDropped {
        /// The lock's namespace.
        namespace: Namespace,
        /// The lock's name; there need not be a lock of that name any more.
        lock_id: LockId,
        /// The row that kept the past hold.
        slot: u64,
        /// Nothing else that is kept says as late a time of the lock: its own row has to, from now on.
        dates_lock: bool,
    },
    /// A past hold was kept: read back in recovery, the lowest number first.
    PastRead {
        /// The lock's namespace.
        namespace: Namespace,
        /// The lock's name; there need not be a lock of that name any more.
        lock_id: LockId,
        /// The row that keeps it.
        slot: u64,
        /// The past hold.
        past: Box<PastHold>,
    },
    /// A release carried an idempotency key, which is kept with the hold's name in case it comes twice.
    ReleaseRemembered {
        /// The hold that is over.
        hold: HoldKey,
        /// The mark of the request that released it.
        idempotency_key: IdempotencyKey,
        /// Higher than that of any release remembered before.
        number: u64,
    },
    /// The release of this hold is remembered no longer.
    ReleaseForgotten(HoldKey),
    /// A process stood in line, or came back to its place.
    Queued(Box<Waiter>),
    /// A wait ended without a grant: the waiter left the queue. Its ticket is kept for a moment, so that
    /// the same request finds its order again.
    WaitEnded {
        /// The waiter's ticket.
        ticket: Ticket,
        /// Until when the ticket is kept.
        kept_until: Mono,
    },
    /// A request that came back for its ticket was granted without waiting: the ticket is used up.
    TicketUsed(Ticket),
    /// A waiter left the line.
    LeftLine {
        /// Its place.
        ticket: Ticket,
        /// Why; `None` if it gets what it waited for, which follows.
        why: Option<Leaving>,
    },
    /// A process was told which holds it has lost. It is told again until it acknowledges them, or until
    /// then.
    LossesTold {
        /// The process's namespace.
        namespace: Namespace,
        /// The process.
        process_id: ProcessId,
        /// When the first telling counts as heard.
        until: Mono,
    },
    /// A process has acknowledged that it lost the holds with these tokens.
    LossesAcknowledged {
        /// The process's namespace.
        namespace: Namespace,
        /// The process.
        process_id: ProcessId,
        /// The tokens that the holds had.
        tokens: Vec<FencingToken>,
    },
    /// A request that may be sent again was carried out.
    RequestRemembered {
        /// What it is known by.
        id: RequestId,
        /// A digest of what it asked for, if that is known.
        digest: Option<u64>,
        /// What came of it.
        result: Box<RequestResult>,
    },
    /// The request that took this hold never had an answer: it counts as not carried out.
    RequestForgotten(HoldKey),
    /// Tokens up to here have been given out: read back in recovery.
    SequenceAdvanced(FencingToken),
    /// An API key was admitted.
    KeyCreated(ApiKey),
    /// An API key has other limits.
    KeyLimited {
        /// The key.
        key_id: KeyId,
        /// Its limits from now on.
        limits: KeyLimits,
    },
    /// An API key was shut out.
    KeyRevoked(KeyId),
}
