//! The lock table of Leasehold, and what it promises. Pure: no IO, no clock, no randomness.
//!
//! A command goes in, a decision comes out ([`Table::decide`]), and only [`Table::apply`] changes
//! anything, in live operation and in recovery alike. [`Table::execute`] does both and notes the
//! rows that have to be durable before the reply may leave.
//!
//! # Promises
//! - **I1 exclusion.** At no point of the committed history does a lock have a reader and a writer,
//!   or two writers where it is write-exclusive.
//! - **I2 acknowledged means durable.** No reply leaves before the state that it rests on is
//!   committed: a grant, a release, and also a refusal or a read that saw an uncommitted change.
//! - **I3 fencing.** Every grant carries a [`FencingToken`] from one sequence that only grows.
//! - **I4 no early release.** A hold is never given away before its timeout has passed since the
//!   acquire or refresh that was acknowledged last. After recovery every live hold starts its full
//!   timeout anew: late is safe, early is not. Where deadlines are stored ([`Deadlines`]) it goes on with
//!   what is left, and a little more; then the promise rests on wall clocks that agree so far.
//! - **I5 no resurrection.** Refreshing what has ended never acquires it again.
//! - **I6 fairness.** Waiters are served in order; nobody overtakes a waiter. Neighbouring readers in
//!   line are granted together.
//! - **I7 bounded.** Everything has a limit ([`Limits`], the lengths of ids) with a clear refusal.

mod change;
mod command;
mod deadlines;
mod decide;
mod event;
mod execute;
mod history;
mod id;
mod key;
mod limits;
mod line;
mod lock;
mod origin;
mod reply;
mod requests;
mod row;
mod table;
mod time;
mod token;

pub use change::{Change, EndCause, Shown};
pub use command::{
    Acquire, Command, Detail, HoldKey, ListLocks, LockKind, MAX_WANTS, Mode, NewLock, Rest,
    RestOfKey, Terms, Want,
};
pub use deadlines::Deadlines;
pub use decide::{Answer, Decision, Verdict};
pub use event::{Event, EventKind, Leaving, Party};
pub use execute::Effects;
pub use history::PastHold;
pub use id::{
    IdError, IdempotencyKey, KeyId, LockId, LockUid, MAX_ID_BYTES, MAX_NAMESPACE_BYTES,
    MAX_NOTE_BYTES, Namespace, Note, ProcessId, is_hidden,
};
pub use key::{
    ApiKey, KeyHash, KeyLimits, LimitsError, LimitsPatch, MAX_LABEL_BYTES, MAX_RATE, Quotas, Rate,
    Role,
};
pub use limits::{GRACE, LOSSES_TOLD_FOR, Limits, MAX_LOSERS, MAX_LOST_HOLDS};
pub use line::{Purpose, Ticket, Waiter};
pub use lock::Hold;
pub use origin::{Origin, RequestClient, RequestId, RequestMark, RequestVerb};
pub use reply::{
    Blocker, CycleStep, Grant, HoldView, LockState, LockView, LostHold, Outcome, ProcessHold,
    Quota, Refusal, Reply, WaitView,
};
pub use requests::RequestResult;
pub use row::{Batch, Row, RowKey, RowWrite};
pub use table::{Inconsistency, Occupancy, Recovery, Table, Violation};
pub use time::{Mono, Now, TimeoutSecs, Wall};
pub use token::FencingToken;
