//! What a client may learn of its own holds from an answer: such a hold is not given back any more.
//!
//! The story: P's wait was granted while its connection broke. P asked again, was told that it holds the
//! lock already (or saw it in another reply), and went to work; then the end of the first connection was
//! noticed, and the hold was given back.

use crate::change::{Change, Shown};
use crate::command::{Command, HoldKey, Mode};
use crate::id::{LockId, Namespace, ProcessId};
use crate::reply::{LockView, Outcome, Refusal, Reply};
use crate::table::Table;

/// What has to be noted of an outcome, so that nothing that it shows is given back: the holds of the
/// process that asks; or all that it shows, where the client could be any process.
pub(crate) fn shown(table: &Table, command: &Command, outcome: &Outcome) -> Vec<Change> {
    let locks = match outcome {
        Outcome::Done(Ok(reply)) => locks_of(reply),
        Outcome::Continues { part, .. } => locks_of(part),
        Outcome::Done(Err(refusal)) => {
            refusal.lock().into_iter().map(|lock| &lock.lock_id).collect()
        }
        Outcome::Waiting(_) => return Vec::new(),
    };
    let up_to = table.last_token();
    match command.process() {
        Some((namespace, process_id)) => {
            let mut changes: Vec<Change> = locks
                .into_iter()
                .flat_map(|lock_id| own_holds(table, namespace, lock_id, process_id))
                .map(Change::Confirmed)
                .collect();
            if let Outcome::Done(Ok(Reply::Process { holds, .. })) = outcome
                && !holds.is_empty()
            {
                let (namespace, of) = (namespace.clone(), Shown::Process(process_id.clone()));
                changes.push(Change::HoldsShown { namespace, of, up_to });
            }
            changes
        }
        None => {
            let Some(namespace) = namespace_of(command) else { return Vec::new() };
            let is_there = |lock_id: &&LockId| table.lock(namespace, lock_id).is_some();
            let shown = locks.into_iter().filter(is_there).map(|lock_id| {
                let (namespace, of) = (namespace.clone(), Shown::Lock(lock_id.clone()));
                Change::HoldsShown { namespace, of, up_to }
            });
            shown.collect()
        }
    }
}

/// The holds of a process of one lock that it may not have heard of.
fn own_holds(
    table: &Table,
    namespace: &Namespace,
    lock_id: &LockId,
    process_id: &ProcessId,
) -> impl Iterator<Item = HoldKey> {
    let lock = table.lock(namespace, lock_id);
    let hold = move |mode| HoldKey {
        namespace: namespace.clone(),
        lock_id: lock_id.clone(),
        mode,
        process_id: process_id.clone(),
    };
    let is_unheard_of = move |hold: &HoldKey| {
        lock.and_then(|lock| lock.hold_of(hold)).is_some_and(|held| !held.is_confirmed)
    };
    [Mode::Read, Mode::Write].into_iter().map(hold).filter(is_unheard_of)
}

/// The locks whose holders a reply shows. A grant shows the client the hold that it waits to hear of: that
/// this very reply arrives is what is in question.
fn locks_of(reply: &Reply) -> Vec<&LockId> {
    let held = |lock: &&LockView| lock.reader_count + lock.writer_count > 0;
    match reply {
        Reply::Lock(lock) => {
            Some(lock).filter(held).map(|lock| &lock.lock_id).into_iter().collect()
        }
        Reply::Locks { locks, .. } => locks.iter().filter(held).map(|lock| &lock.lock_id).collect(),
        Reply::Waits(waits) => {
            let held = waits.iter().filter(|wait| wait.blockers.iter().any(|by| by.is_holder));
            held.map(|wait| &wait.lock_id).collect()
        }
        Reply::Granted(_)
        | Reply::Process { .. }
        | Reply::History { .. }
        | Reply::Key(_)
        | Reply::Keys(_) => Vec::new(),
    }
}

/// Where a command looks that names no process.
fn namespace_of(command: &Command) -> Option<&Namespace> {
    match command {
        Command::CreateLock { namespace, .. }
        | Command::GetLock { namespace, .. }
        | Command::DeleteLock { namespace, .. }
        | Command::GetWaits { namespace }
        | Command::GetHistory { namespace, .. } => Some(namespace),
        Command::ListLocks(list) => Some(&list.namespace),
        Command::Acquire(_)
        | Command::Refresh { .. }
        | Command::Release { .. }
        | Command::Downgrade { .. }
        | Command::Upgrade { .. }
        | Command::GetProcess { .. }
        | Command::RefreshProcess { .. }
        | Command::ReleaseProcess { .. }
        | Command::CreateKey(_)
        | Command::ListKeys { .. }
        | Command::LimitKey { .. }
        | Command::RevokeKey { .. } => None,
    }
}

impl Refusal {
    /// The lock that it shows, if any.
    fn lock(&self) -> Option<&LockView> {
        match self {
            Self::LockExists(lock) | Self::Held(lock) | Self::NotFree(lock) => Some(lock),
            Self::WaitTimedOut { lock, .. }
            | Self::StaleToken { lock, .. }
            | Self::AlreadyHeld { lock, .. }
            | Self::NotHeld { lock, .. }
            | Self::LockDiffers { lock, .. }
            | Self::NothingToRelease { lock, .. } => Some(lock),
            Self::NoSuchLock(_)
            | Self::LockDeleted(_)
            | Self::HoldOver { .. }
            | Self::Deadlock(_)
            | Self::AlreadyWaiting { .. }
            | Self::Superseded
            | Self::TooManyWaiters { .. }
            | Self::ProcessHoldsNothing(_)
            | Self::TimeoutTooLong { .. }
            | Self::TooManyLocks { .. }
            | Self::QuotaExceeded { .. }
            | Self::TooManyHolders { .. }
            | Self::TokensExhausted
            | Self::TooManyKeys { .. }
            | Self::KeyExists(_)
            | Self::BadLimits(_)
            | Self::NoSuchKey(_)
            | Self::KeyRevoked
            | Self::LockBeingDeleted(_)
            | Self::RequestOver { .. }
            | Self::KeyShownBefore(_)
            | Self::IdempotencyKeyReused(_) => None,
        }
    }
}
