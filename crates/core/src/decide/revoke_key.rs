//! Shut an API key out: its waits end, and its holds if that is asked for, in as many steps as that takes.

use std::ops::Bound;

use super::{Answer, Decision, STEP, find_key};
use crate::change::{Change, EndCause};
use crate::command::{Command, HoldKey, Mode, RestOfKey};
use crate::event::Leaving;
use crate::id::{KeyId, LockId, Namespace, ProcessId};
use crate::key::ApiKey;
use crate::reply::{Refusal, Reply};
use crate::table::Table;
use crate::time::Now;

/// Holds that one step looks at, at most: most may be of other keys.
const LOOKS: usize = 10 * STEP;

pub(super) fn revoke_key(
    table: &Table,
    key_id: &KeyId,
    namespace: Option<&Namespace>,
    end_holds: bool,
) -> Result<Decision, Refusal> {
    let key = find_key(table, key_id, namespace)?;
    let waiters = || table.waiters_of(&key.namespace).filter(|w| w.key_id.as_ref() == Some(key_id));
    let why = Some(Leaving::KeyRevoked);
    let mut changes = vec![Change::KeyRevoked(key_id.clone())];
    changes.extend(waiters().map(|waiter| Change::LeftLine { ticket: waiter.ticket, why }));
    let turned_away = waiters().map(|waiter| (waiter.ticket, Refusal::KeyRevoked)).collect();
    let next = end_holds.then(|| rest_of(key.clone(), None));
    Ok(Decision { turned_away, ..Decision::step(changes, answer(key), next) })
}

/// Ends holds that the key took, one step on.
pub(super) fn end_holds(table: &Table, now: Now, rest: &RestOfKey, by: Option<&KeyId>) -> Decision {
    let RestOfKey { key, after } = rest;
    let mut looked_at = None;
    let mut changes = Vec::new();
    for (looks, (process_id, lock_id, mode)) in held_after(table, key, after.as_ref()).enumerate() {
        if looks == LOOKS || changes.len() == STEP {
            let next = rest_of(key.clone(), looked_at);
            return Decision::step(changes, answer(key), Some(next));
        }
        looked_at = Some((process_id.clone(), lock_id.clone(), mode));
        let (namespace, process_id) = (key.namespace.clone(), process_id.clone());
        let hold = HoldKey { namespace, lock_id: lock_id.clone(), mode, process_id };
        let lock = table.lock(&key.namespace, lock_id);
        let held = lock.and_then(|lock| lock.hold_of(&hold));
        if held.is_some_and(|held| held.acquired_by.as_ref() == Some(&key.key_id)) {
            let (cause, at) = (EndCause::Forced, now.wall);
            changes.push(Change::Ended { hold, cause, at, by: by.cloned() });
        }
    }
    Decision::step(changes, answer(key), None)
}

fn answer(key: &ApiKey) -> Answer {
    Answer::Ready(Box::new(Reply::Key(key.clone())))
}

fn rest_of(key: ApiKey, after: Option<(ProcessId, LockId, Mode)>) -> Command {
    let (key_id, namespace) = (key.key_id.clone(), Some(key.namespace.clone()));
    let rest = Some(Box::new(RestOfKey { key, after }));
    Command::RevokeKey { key_id, namespace, end_holds: true, rest }
}

/// The holds of the key's namespace after this one, by process.
fn held_after<'a>(
    table: &'a Table,
    key: &ApiKey,
    after: Option<&'a (ProcessId, LockId, Mode)>,
) -> impl Iterator<Item = (&'a ProcessId, &'a LockId, Mode)> {
    let from = after.map_or(Bound::Unbounded, |(process_id, ..)| Bound::Included(process_id));
    let processes = table.space(&key.namespace).into_iter();
    let processes = processes
        .flat_map(move |space| space.processes.range::<ProcessId, _>((from, Bound::Unbounded)));
    processes.flat_map(move |(process_id, claims)| {
        let from = match after {
            Some((process, lock_id, mode)) if process == process_id => {
                Bound::Excluded((lock_id.clone(), *mode))
            }
            Some(_) | None => Bound::Unbounded,
        };
        let held = claims.held.range((from, Bound::Unbounded));
        held.map(move |(lock_id, mode)| (process_id, lock_id, *mode))
    })
}
