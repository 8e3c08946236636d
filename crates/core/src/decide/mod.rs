//! What becomes of a command, one verb a file. Deciding reads the table and never writes it.

mod acquire;
mod create_key;
mod create_lock;
mod deadlock;
mod delete_lock;
mod downgrade;
mod due;
mod get_history;
mod get_lock;
mod get_process;
mod get_waits;
mod give_back;
mod limit_key;
mod line;
mod list_keys;
mod list_locks;
mod outdated;
mod quota;
mod refresh;
mod refresh_process;
mod release;
mod release_process;
mod repeat;
mod revoke_key;
mod shown;
mod slice;
mod upgrade;

use crate::change::Change;
use crate::command::{Command, Detail, HoldKey};
use crate::id::{KeyId, LockId, Namespace};
use crate::key::ApiKey;
use crate::line::Ticket;
use crate::lock::{Lock, Show};
use crate::origin::{Origin, RequestMark};
use crate::reply::{LockView, LostHold, Refusal, Reply};
use crate::table::Table;
use crate::time::Now;

pub(crate) use due::{Due, next_due};
pub(crate) use get_waits::position;
pub(crate) use give_back::give_back;
pub(crate) use line::{grant_waiter, next_in_line, spent};
pub(crate) use outdated::next_outdated;
pub(crate) use shown::shown;
pub(crate) use upgrade::lapsed_upgrade;

/// A command's effect, before anything has changed.
#[derive(Debug)]
pub struct Decision {
    /// What [`Table::apply`] has to do, in order; empty for reads and refusals.
    pub changes: Vec<Change>,
    /// What the caller is told, once the changes are durable.
    pub verdict: Verdict,
    /// Waiters that the changes turn away, and what they are told.
    pub turned_away: Vec<(Ticket, Refusal)>,
}

/// What the caller is told.
#[derive(Debug)]
pub enum Verdict {
    /// Yes.
    Granted(Answer),
    /// No, and nothing changes.
    Refused(Refusal),
    /// Later: it stands in line.
    Waiting(Ticket),
    /// So far it has come, and there is more: the rest is another command, for a later round.
    Continues {
        /// The rest.
        next: Box<Command>,
        /// What this step adds to the answer.
        part: Answer,
    },
}

/// A yes. Locks are looked up after the changes have been applied.
#[derive(Debug)]
pub enum Answer {
    /// The lock with all its holders.
    Lock(Namespace, LockId),
    /// The lock as one of its holders, or a former one, asked to see it.
    Hold(HoldKey, Detail),
    /// The holds that an acquire got.
    Granted(Vec<HoldKey>, Detail),
    /// Holds of one process, and what it has lost.
    Process {
        /// The holds.
        holds: Vec<HoldKey>,
        /// What it has lost.
        lost: Vec<LostHold>,
    },
    /// Something that the changes do not alter.
    Ready(Box<Reply>),
}

impl Decision {
    fn refuse(refusal: Refusal) -> Self {
        let verdict = Verdict::Refused(refusal);
        Self { changes: Vec::new(), verdict, turned_away: Vec::new() }
    }

    fn change(changes: Vec<Change>, answer: Answer) -> Self {
        Self { changes, verdict: Verdict::Granted(answer), turned_away: Vec::new() }
    }

    /// One step of a command that takes as many as there is to change, and what is left, if anything.
    fn step(changes: Vec<Change>, answer: Answer, next: Option<Command>) -> Self {
        let verdict = match next {
            None => Verdict::Granted(answer),
            Some(next) => Verdict::Continues { next: Box::new(next), part: answer },
        };
        Self { changes, verdict, turned_away: Vec::new() }
    }

    fn read(reply: Reply) -> Self {
        Self::change(Vec::new(), Answer::Ready(Box::new(reply)))
    }
}

/// Changes that one step of a command brings about, at most, where it could be any number: with those
/// of the other commands of a round they are one batch, which every store can commit well within a lease.
pub(crate) const STEP: usize = 1_000;

/// Decides one command. Pure: the same table, time and command give the same decision.
///
/// Whatever the command is, it is refused if its API key has been revoked since it was let in; and one
/// that was carried out before, and is sent again with the same idempotency key, is not carried out again.
pub(crate) fn decide(table: &Table, now: Now, origin: &Origin, command: &Command) -> Decision {
    if command.is_begun() {
        let mark = RequestMark::of(origin, command);
        let decision = decide_verb(table, now, origin, None, command);
        return finish(table, mark.as_ref(), command, decision);
    }
    let is_revoked = |key_id: &KeyId| !table.keys().contains_key(key_id);
    if origin.revocable_key().is_some_and(is_revoked) {
        return Decision::refuse(Refusal::KeyRevoked);
    }
    let mark = RequestMark::of(origin, command);
    match mark.as_ref().map(|mark| repeat::repeat(table, now, command, mark)) {
        Some(Ok(Some(decision))) => decision,
        Some(Err(refusal)) => Decision::refuse(refusal),
        Some(Ok(None)) | None => {
            let decision = decide_verb(table, now, origin, mark.as_ref(), command);
            finish(table, mark.as_ref(), command, decision)
        }
    }
}

/// Adds the note that the request was carried out, if it was and may be sent again.
fn finish(
    table: &Table,
    mark: Option<&RequestMark>,
    command: &Command,
    mut decision: Decision,
) -> Decision {
    if let Some(mark) = mark
        && let Some(result) = repeat::result_of(table, command, &decision)
    {
        decision.changes.push(repeat::remembrance(mark, result));
    }
    decision
}

fn decide_verb(
    table: &Table,
    now: Now,
    origin: &Origin,
    mark: Option<&RequestMark>,
    command: &Command,
) -> Decision {
    let by = origin.key_id.as_ref();
    let decided = match command {
        Command::CreateLock { namespace, lock_id, new, quotas } => {
            create_lock::create_lock(table, now, namespace, lock_id, *new, quotas)
        }
        Command::GetLock { namespace, lock_id } => get_lock::get_lock(table, namespace, lock_id),
        Command::ListLocks(list) => Ok(list_locks::list_locks(table, now, list)),
        Command::GetHistory { namespace, lock_id, before, limit } => {
            get_history::get_history(table, now, namespace, lock_id, *before, *limit)
        }
        Command::DeleteLock { namespace, lock_id, force, is_begun } => {
            let how = delete_lock::How { force: *force, is_begun: *is_begun };
            delete_lock::delete_lock(table, now, namespace, lock_id, how, by)
        }
        Command::Acquire(acquire) => acquire::acquire(table, now, origin, mark, acquire),
        Command::Refresh { hold, token, timeout, detail } => {
            refresh::refresh(table, now, hold, *token, *timeout, *detail)
        }
        Command::Release { hold, token, detail } => {
            release::release(table, now, origin, hold, *token, *detail)
        }
        Command::Downgrade { hold, terms } => downgrade::downgrade(table, now, origin, hold, terms),
        Command::Upgrade { hold, terms, wait, quotas } => {
            let asked = upgrade::Asked { hold, terms, wait: *wait, quotas };
            upgrade::upgrade(table, now, origin, mark, &asked)
        }
        Command::GetProcess { namespace, process_id } => {
            Ok(get_process::get_process(table, now, namespace, process_id))
        }
        Command::RefreshProcess { namespace, process_id, timeout, acknowledged, rest } => {
            let asked = refresh_process::Asked { timeout: *timeout, acknowledged, rest };
            refresh_process::refresh_process(table, now, namespace, process_id, &asked)
        }
        Command::ReleaseProcess { namespace, process_id, rest } => {
            release_process::release_process(table, now, namespace, process_id, rest.as_ref(), by)
        }
        Command::GetWaits { namespace } => Ok(get_waits::get_waits(table, now, namespace)),
        Command::CreateKey(key) => create_key::create_key(table, key),
        Command::ListKeys { namespace } => Ok(list_keys::list_keys(table, namespace.as_ref())),
        Command::LimitKey { key_id, namespace, patch } => {
            limit_key::limit_key(table, key_id, namespace.as_ref(), patch)
        }
        Command::RevokeKey { key_id, namespace, end_holds, rest } => match rest {
            None => revoke_key::revoke_key(table, key_id, namespace.as_ref(), *end_holds),
            Some(rest) => Ok(revoke_key::end_holds(table, now, rest, by)),
        },
    };
    decided.unwrap_or_else(Decision::refuse)
}

/// The lock that a command is about, or the refusal that there is none.
fn find<'a>(
    table: &'a Table,
    namespace: &Namespace,
    lock_id: &LockId,
) -> Result<&'a Lock, Refusal> {
    table.lock(namespace, lock_id).ok_or_else(|| Refusal::NoSuchLock(lock_id.clone()))
}

/// The key that a command is about; one of another namespace than this is as good as none.
fn find_key<'a>(
    table: &'a Table,
    key_id: &KeyId,
    namespace: Option<&Namespace>,
) -> Result<&'a ApiKey, Refusal> {
    let key = table.keys().get(key_id);
    let key = key.filter(|key| namespace.is_none_or(|namespace| *namespace == key.namespace));
    key.ok_or_else(|| Refusal::NoSuchKey(key_id.to_string()))
}

/// Refuses what would give a process a hold of a lock that is being deleted.
fn check_open(lock: &Lock, lock_id: &LockId) -> Result<(), Refusal> {
    if lock.is_closing { Err(Refusal::LockBeingDeleted(lock_id.clone())) } else { Ok(()) }
}

/// The lock as a refusal shows it: its first holders only, whatever their number.
fn as_it_stands(lock: &Lock, lock_id: &LockId, now: Now) -> Box<LockView> {
    Box::new(lock.view(lock_id, now, Show::First))
}
