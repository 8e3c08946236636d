//! What becomes of a command, one verb a file. Deciding reads the table and never writes it.

mod acquire;
mod create_key;
mod create_lock;
mod expire;
mod get_lock;
mod list_keys;
mod refresh;
mod release;
mod revoke_key;

use crate::change::Change;
use crate::command::{Command, Detail, HoldKey};
use crate::id::{LockId, Namespace};
use crate::key::ApiKey;
use crate::lock::{Lock, Show};
use crate::reply::{LockView, Refusal};
use crate::table::Table;
use crate::time::Now;

pub(crate) use expire::expire;

/// A command's effect, before anything has changed.
#[derive(Debug)]
pub struct Decision {
    /// What [`Table::apply`] has to do, in order; empty for reads and refusals.
    pub changes: Vec<Change>,
    /// What the caller is told, once the changes are durable.
    pub answer: Result<Answer, Refusal>,
}

/// What the caller is told; a lock is looked up after the changes have been applied.
#[derive(Debug)]
pub enum Answer {
    /// The lock with all its holders.
    Lock(Namespace, LockId),
    /// The lock with this hold alone.
    OwnHold(HoldKey),
    /// One key.
    Key(ApiKey),
    /// Some keys.
    Keys(Vec<ApiKey>),
}

impl Answer {
    fn to_holder(hold: &HoldKey, detail: Detail) -> Self {
        match detail {
            Detail::Full => Self::Lock(hold.namespace.clone(), hold.lock_id.clone()),
            Detail::Own => Self::OwnHold(hold.clone()),
        }
    }
}

impl Decision {
    fn refuse(refusal: Refusal) -> Self {
        Self { changes: Vec::new(), answer: Err(refusal) }
    }

    fn change(change: Change, answer: Answer) -> Self {
        Self { changes: vec![change], answer: Ok(answer) }
    }

    fn read(answer: Answer) -> Self {
        Self { changes: Vec::new(), answer: Ok(answer) }
    }
}

/// Decides one command. Pure: the same table, time and command give the same decision.
pub(crate) fn decide(table: &Table, now: Now, command: &Command) -> Decision {
    let decided = match command {
        Command::CreateLock { namespace, lock_id, uid, is_write_exclusive } => {
            create_lock::create_lock(table, now, namespace, lock_id, *uid, *is_write_exclusive)
        }
        Command::GetLock { namespace, lock_id } => get_lock::get_lock(table, namespace, lock_id),
        Command::Acquire { hold, timeout, detail } => {
            acquire::acquire(table, now, hold, *timeout, *detail)
        }
        Command::Refresh { hold, timeout, detail } => {
            refresh::refresh(table, now, hold, *timeout, *detail)
        }
        Command::Release { hold, detail } => release::release(table, now, hold, *detail),
        Command::CreateKey(key) => create_key::create_key(table, key),
        Command::ListKeys { namespace } => Ok(list_keys::list_keys(table, namespace.as_ref())),
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

/// The lock as a refusal shows it: its first holders only, whatever their number.
fn as_it_stands(lock: &Lock, lock_id: &LockId, now: Now) -> Box<LockView> {
    Box::new(lock.view(lock_id, now, Show::First))
}

/// The same, with the caller's own hold before the others, because the refusal is about it.
fn own_as_it_stands(lock: &Lock, hold: &HoldKey, now: Now) -> Box<LockView> {
    Box::new(lock.view(&hold.lock_id, now, Show::FirstAfter(hold)))
}
