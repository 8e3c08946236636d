//! The one place that changes the table, in live operation and in recovery alike.

use super::{Space, Table};
use crate::change::Change;
use crate::command::HoldKey;
use crate::id::Namespace;
use crate::lock::{Hold, Lock};

impl Table {
    /// Makes a change that was decided on this table, or read back from a store and checked.
    ///
    /// # Panics
    /// If the change breaks a promise (I1, I3, I5). Going on would put a lock into two hands, so the
    /// owner of the table stops instead, before anything is committed.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::LockCreated {
                namespace,
                lock_id,
                uid,
                is_write_exclusive,
                created_at,
                updated_at,
            } => {
                let lock = Lock {
                    uid,
                    is_write_exclusive,
                    created_at,
                    updated_at,
                    readers: Default::default(),
                    writers: Default::default(),
                };
                let before = self.spaces.entry(namespace).or_default().locks.insert(lock_id, lock);
                assert!(before.is_none(), "a lock is created once");
            }
            Change::Granted { hold, token, timeout, acquired_at, deadline } => {
                self.last_token = self.last_token.max(token);
                let space = self.space_of(&hold.namespace);
                space.holds += 1;
                let lock = lock_of(space, &hold);
                lock.updated_at = lock.updated_at.max(acquired_at);
                let held = Hold { token, timeout, acquired_at, deadline };
                let before = lock.holders_mut(hold.mode).insert(hold.process_id.clone(), held);
                assert!(before.is_none(), "a hold is granted once");
                assert!(lock.keeps_exclusion(), "I1: {hold:?} excludes another hold");
                let before = self.deadlines.insert((deadline, token), hold);
                assert!(before.is_none(), "I3: token {token} was given out twice");
            }
            Change::Refreshed { hold, timeout, deadline, timeout_changed: _ } => {
                let held = lock_of(self.space_of(&hold.namespace), &hold)
                    .holders_mut(hold.mode)
                    .get_mut(&hold.process_id);
                assert!(held.is_some(), "I5: refreshed {hold:?}, which is not held");
                if let Some(held) = held {
                    let (old, token) = (held.deadline, held.token);
                    held.timeout = timeout;
                    held.deadline = deadline;
                    self.deadlines.remove(&(old, token));
                    self.deadlines.insert((deadline, token), hold);
                }
            }
            Change::Ended { hold, cause: _, at } => {
                let space = self.space_of(&hold.namespace);
                space.holds -= 1;
                let lock = lock_of(space, &hold);
                lock.updated_at = lock.updated_at.max(at);
                let held = lock.holders_mut(hold.mode).remove(&hold.process_id);
                assert!(held.is_some(), "ended {hold:?}, which is not held");
                if let Some(held) = held {
                    self.deadlines.remove(&(held.deadline, held.token));
                }
            }
            Change::SequenceAdvanced(token) => self.last_token = self.last_token.max(token),
            Change::KeyCreated(key) => {
                self.keys.insert(key.key_id.clone(), key);
            }
            Change::KeyRevoked(key_id) => {
                self.keys.remove(&key_id);
            }
        }
    }

    #[expect(clippy::expect_used, reason = "documented panic: a change names a known namespace")]
    fn space_of(&mut self, namespace: &Namespace) -> &mut Space {
        self.spaces.get_mut(namespace).expect("a change names a known namespace")
    }
}

#[expect(clippy::expect_used, reason = "documented panic: a change names a known lock")]
fn lock_of<'a>(space: &'a mut Space, hold: &HoldKey) -> &'a mut Lock {
    space.locks.get_mut(&hold.lock_id).expect("a change names a known lock")
}
