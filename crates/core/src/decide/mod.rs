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
mod revoke_key;
mod upgrade;

use crate::change::Change;
use crate::command::{Command, Detail, HoldKey};
use crate::id::{KeyId, LockId, Namespace, ProcessId};
use crate::key::ApiKey;
use crate::line::Ticket;
use crate::lock::{Lock, Show};
use crate::reply::{LockView, LostHold, Refusal, Reply};
use crate::table::Table;
use crate::time::Now;

pub(crate) use due::{Due, next_due};
pub(crate) use get_waits::position;
pub(crate) use give_back::give_back;
pub(crate) use line::{grant_waiter, is_spent, next_in_line};
pub(crate) use outdated::next_outdated;
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
    /// All that a process holds, and what it has lost.
    Process {
        /// Its namespace.
        namespace: Namespace,
        /// The process.
        process_id: ProcessId,
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

    fn read(reply: Reply) -> Self {
        Self::change(Vec::new(), Answer::Ready(Box::new(reply)))
    }
}

/// Decides one command. Pure: the same table, time and command give the same decision.
pub(crate) fn decide(table: &Table, now: Now, command: &Command) -> Decision {
    let decided = match command {
        Command::CreateLock { namespace, lock_id, new, quotas } => {
            create_lock::create_lock(table, now, namespace, lock_id, *new, quotas)
        }
        Command::GetLock { namespace, lock_id } => get_lock::get_lock(table, namespace, lock_id),
        Command::ListLocks(list) => Ok(list_locks::list_locks(table, now, list)),
        Command::GetHistory { namespace, lock_id, before, limit } => {
            get_history::get_history(table, now, namespace, lock_id, *before, *limit)
        }
        Command::DeleteLock { namespace, lock_id, force, by } => {
            delete_lock::delete_lock(table, now, namespace, lock_id, *force, by.as_ref())
        }
        Command::Acquire(acquire) => acquire::acquire(table, now, acquire),
        Command::Refresh { hold, token, timeout, detail } => {
            refresh::refresh(table, now, hold, *token, *timeout, *detail)
        }
        Command::Release { hold, token, idempotency_key, detail, by } => {
            let key = idempotency_key.as_ref();
            release::release(table, now, hold, *token, key, *detail, by.as_ref())
        }
        Command::Downgrade { hold, terms } => downgrade::downgrade(table, now, hold, terms),
        Command::Upgrade { hold, terms, wait, quotas } => {
            upgrade::upgrade(table, now, hold, terms, *wait, quotas)
        }
        Command::GetProcess { namespace, process_id } => {
            Ok(get_process::get_process(table, now, namespace, process_id))
        }
        Command::RefreshProcess { namespace, process_id, timeout } => {
            refresh_process::refresh_process(table, now, namespace, process_id, *timeout)
        }
        Command::ReleaseProcess { namespace, process_id, by } => {
            release_process::release_process(table, now, namespace, process_id, by.as_ref())
        }
        Command::GetWaits { namespace } => Ok(get_waits::get_waits(table, now, namespace)),
        Command::CreateKey(key) => create_key::create_key(table, key),
        Command::ListKeys { namespace } => Ok(list_keys::list_keys(table, namespace.as_ref())),
        Command::LimitKey { key_id, namespace, patch } => {
            limit_key::limit_key(table, key_id, namespace.as_ref(), patch)
        }
        Command::RevokeKey { key_id, namespace } => {
            revoke_key::revoke_key(table, key_id, namespace.as_ref())
        }
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

/// The lock as a refusal shows it: its first holders only, whatever their number.
fn as_it_stands(lock: &Lock, lock_id: &LockId, now: Now) -> Box<LockView> {
    Box::new(lock.view(lock_id, now, Show::First))
}
