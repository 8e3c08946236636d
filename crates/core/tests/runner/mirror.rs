//! The table as somebody sees it who only follows its events. Whatever a scenario does, both must agree:
//! no event is forgotten, none is told twice, and none is out of order.

use std::collections::{BTreeMap, BTreeSet};

use leasehold_core::{
    Command, Effects, Event, EventKind, HoldView, ListLocks, LockId, LockView, Mode, Namespace,
    Now, Origin, Outcome, Party, ProcessId, Reply, Table,
};

use super::events::of_event;

/// Who holds a lock with which token, and who stands in line.
#[derive(PartialEq, Eq, Debug, Default)]
struct Seen {
    holds: BTreeMap<(Mode, ProcessId), u64>,
    line: BTreeSet<(Mode, ProcessId)>,
}

#[derive(Default)]
pub(super) struct Mirror {
    locks: BTreeMap<(Namespace, LockId), Seen>,
}

impl Mirror {
    /// A first look at a table before which nobody stands in line.
    pub(super) fn of(table: &mut Table, now: Now) -> Self {
        let look = |(lock, view): ((Namespace, LockId), LockView)| {
            (lock, Seen { holds: holds_of(&view), line: BTreeSet::new() })
        };
        Self { locks: locks_of(table, now).into_iter().map(look).collect() }
    }

    pub(super) fn follow(&mut self, event: &Event) -> Result<(), String> {
        self.see(event).map_err(|why| format!("event {}: {why}", of_event(event)))
    }

    fn see(&mut self, event: &Event) -> Result<(), &'static str> {
        let lock = (event.namespace.clone(), event.lock_id.clone());
        let key = |party: &Party| (party.mode, party.process_id.clone());
        let mut none = Seen::default();
        let is_known = self.locks.contains_key(&lock);
        if is_known == (event.kind == EventKind::Created) {
            return Err("the lock is known already, or not at all");
        }
        let seen = self.locks.get_mut(&lock).unwrap_or(&mut none);
        let follows = match &event.kind {
            EventKind::Created => self.locks.insert(lock, Seen::default()).is_none(),
            EventKind::Deleted => self.locks.remove(&lock) == Some(Seen::default()),
            EventKind::Granted { holder, token, .. } => {
                // Whoever waited for it is out of the line by it.
                seen.line.remove(&key(holder));
                seen.holds.insert(key(holder), token.get()).is_none()
            }
            EventKind::Queued { waiter, position } => {
                seen.line.insert(key(waiter)) && [1, seen.line.len()].contains(position)
            }
            EventKind::LeftLine { waiter, .. } => seen.line.remove(&key(waiter)),
            EventKind::Refreshed { holder, token, .. } => {
                seen.holds.get(&key(holder)) == Some(&token.get())
            }
            EventKind::Ended { holder, token, .. } => {
                seen.holds.remove(&key(holder)) == Some(token.get())
            }
        };
        if follows { Ok(()) } else { Err("it does not follow from those before") }
    }

    pub(super) fn check(&self, table: &mut Table, now: Now) -> Result<(), String> {
        let locks = locks_of(table, now);
        if let Some((_, lock_id)) = self.locks.keys().find(|lock| !locks.contains_key(lock)) {
            return Err(format!("no event told that {lock_id} is gone"));
        }
        for (lock, view) in locks {
            let seen = self.locks.get(&lock).ok_or(format!("no event told of {}", lock.1))?;
            let (holds, waiters) = (holds_of(&view), view.waiter_count);
            if seen.holds != holds || seen.line.len() != waiters {
                let is = format!("{holds:?} hold it, {waiters} wait");
                return Err(format!("events of {}: {seen:?}\n  but {is}", lock.1));
            }
        }
        Ok(())
    }
}

fn holds_of(lock: &LockView) -> BTreeMap<(Mode, ProcessId), u64> {
    let of = |mode, list: &[HoldView]| {
        list.iter().map(|h| ((mode, h.process_id.clone()), h.token.get())).collect::<Vec<_>>()
    };
    [of(Mode::Read, &lock.readers), of(Mode::Write, &lock.writers)].concat().into_iter().collect()
}

fn locks_of(table: &mut Table, now: Now) -> BTreeMap<(Namespace, LockId), LockView> {
    let mut locks = BTreeMap::new();
    let namespaces: Vec<_> = table.occupancy().map(|space| space.namespace).collect();
    for namespace in namespaces {
        let list = Command::ListLocks(ListLocks {
            namespace: namespace.clone(),
            prefix: String::new(),
            state: None,
            process_id: None,
            after: None,
            limit: usize::MAX,
        });
        let page = match look(table, now, &list) {
            Some(Reply::Locks { locks, .. }) => locks,
            _ => Vec::new(),
        };
        for LockView { lock_id, .. } in page {
            let get = Command::GetLock { namespace: namespace.clone(), lock_id: lock_id.clone() };
            if let Some(Reply::Lock(view)) = look(table, now, &get) {
                locks.insert((namespace.clone(), lock_id), view);
            }
        }
    }
    locks
}

fn look(table: &mut Table, now: Now, command: &Command) -> Option<Reply> {
    match table.execute(now, &Origin::default(), command, &mut Effects::default()) {
        Outcome::Done(reply) => reply.ok(),
        Outcome::Waiting(_) | Outcome::Continues { .. } => None,
    }
}
