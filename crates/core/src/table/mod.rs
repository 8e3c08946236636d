//! The lock table: every lock, hold, deadline and key, in memory, with one owner.

mod apply;
mod record;
mod recovery;

use std::collections::BTreeMap;

use crate::change::{Change, EndCause};
use crate::command::{Command, HoldKey};
use crate::decide::{self, Answer, Decision};
use crate::id::{KeyId, LockId, Namespace};
use crate::key::ApiKey;
use crate::limits::Limits;
use crate::lock::{Lock, Show};
use crate::reply::{Refusal, Reply};
use crate::row::Batch;
use crate::time::{Mono, Now};
use crate::token::FencingToken;

pub use recovery::{Recovery, Violation};

/// The locks of one namespace.
#[derive(Debug, Default)]
struct Space {
    locks: BTreeMap<LockId, Lock>,
    holds: usize,
}

/// The whole state of the service. [`Table::decide`] reads it, [`Table::apply`] alone writes it.
#[derive(Debug)]
pub struct Table {
    limits: Limits,
    spaces: BTreeMap<Namespace, Space>,
    deadlines: BTreeMap<(Mono, FencingToken), HoldKey>,
    last_token: FencingToken,
    keys: BTreeMap<KeyId, ApiKey>,
}

/// What a stretch of commands did: the rows to commit and what to count.
#[derive(Debug, Default)]
pub struct Effects {
    /// The rows as they are to be after the commit.
    pub batch: Batch,
    /// Holds granted.
    pub granted: u64,
    /// Holds given back.
    pub released: u64,
    /// Holds whose timeout passed.
    pub expired: u64,
    /// Whether keys were made or revoked.
    pub keys_changed: bool,
}

/// How full a namespace is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Occupancy {
    /// The namespace.
    pub namespace: Namespace,
    /// Its locks.
    pub locks: usize,
    /// The holds of its locks.
    pub holds: usize,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            spaces: BTreeMap::new(),
            deadlines: BTreeMap::new(),
            last_token: FencingToken::default(),
            keys: BTreeMap::new(),
        }
    }

    /// Decides one command without changing anything.
    #[must_use]
    pub fn decide(&self, now: Now, command: &Command) -> Decision {
        decide::decide(self, now, command)
    }

    /// Decides one command, applies the decision and notes the rows that it touched.
    ///
    /// The reply rests on those rows: it must not leave before they are durable (I2).
    ///
    /// # Errors
    /// [`Refusal`] says why nothing changed.
    pub fn execute(
        &mut self,
        now: Now,
        command: &Command,
        effects: &mut Effects,
    ) -> Result<Reply, Refusal> {
        let decision = self.decide(now, command);
        for change in &decision.changes {
            self.carry_out(change, effects);
        }
        decision.answer.map(|answer| self.reply(now, answer))
    }

    /// Ends the holds that are due, at most `limit` of them, and says how many it ended.
    pub fn expire(&mut self, now: Now, limit: usize, effects: &mut Effects) -> usize {
        let due = decide::expire(self, now, limit);
        let count = due.len();
        for change in &due {
            self.carry_out(change, effects);
        }
        count
    }

    fn carry_out(&mut self, change: &Change, effects: &mut Effects) {
        self.apply(change.clone());
        self.record(change, &mut effects.batch);
        match change {
            Change::Granted { .. } => effects.granted += 1,
            Change::Ended { cause: EndCause::Released, .. } => effects.released += 1,
            Change::Ended { cause: EndCause::Expired, .. } => effects.expired += 1,
            Change::KeyCreated(_) | Change::KeyRevoked(_) => effects.keys_changed = true,
            Change::LockCreated { .. } | Change::Refreshed { .. } | Change::SequenceAdvanced(_) => {
            }
        }
    }

    fn reply(&self, now: Now, answer: Answer) -> Reply {
        match answer {
            Answer::Lock(namespace, lock_id) => {
                Reply::Lock(self.known(&namespace, &lock_id).view(&lock_id, now, Show::All))
            }
            Answer::OwnHold(hold) => {
                let lock = self.known(&hold.namespace, &hold.lock_id);
                Reply::Lock(lock.view(&hold.lock_id, now, Show::Only(&hold)))
            }
            Answer::Key(key) => Reply::Key(key),
            Answer::Keys(keys) => Reply::Keys(keys),
        }
    }

    /// When the next hold expires, if any is held.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Mono> {
        self.deadlines.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// The holds whose deadline has come, earliest first.
    pub(crate) fn due(&self, now: Mono) -> impl Iterator<Item = &HoldKey> {
        self.deadlines.range(..=(now, FencingToken::MAX)).map(|(_, hold)| hold)
    }

    /// The valid API keys, by key id.
    #[must_use]
    pub fn keys(&self) -> &BTreeMap<KeyId, ApiKey> {
        &self.keys
    }

    /// The last fencing token given out.
    #[must_use]
    pub fn last_token(&self) -> FencingToken {
        self.last_token
    }

    /// How full each namespace is.
    pub fn occupancy(&self) -> impl Iterator<Item = Occupancy> {
        self.spaces.iter().map(|(namespace, space)| Occupancy {
            namespace: namespace.clone(),
            locks: space.locks.len(),
            holds: space.holds,
        })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn lock(&self, namespace: &Namespace, lock_id: &LockId) -> Option<&Lock> {
        self.spaces.get(namespace)?.locks.get(lock_id)
    }

    pub(crate) fn lock_count(&self, namespace: &Namespace) -> usize {
        self.spaces.get(namespace).map_or(0, |space| space.locks.len())
    }

    /// A lock that a decision has just found.
    #[expect(clippy::expect_used, reason = "decide found it in this table a moment ago")]
    fn known(&self, namespace: &Namespace, lock_id: &LockId) -> &Lock {
        self.lock(namespace, lock_id).expect("a decided lock is in the table")
    }
}
