//! Who stands in line, and for what. Lines live in memory: they belong to open requests, and a caller
//! whose request broke off asks again.

use crate::command::{HoldKey, Mode, Terms};
use crate::id::{KeyId, LockId, Namespace, ProcessId};
use crate::origin::RequestMark;
use crate::time::Mono;

/// A place in line. Tickets only grow; in every line the lowest is served first (I6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Ticket(pub u64);

/// What a waiter will do when it is its turn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Purpose {
    /// Take its locks.
    Acquire,
    /// Turn its hold for reading into one for writing.
    Upgrade,
}

/// A process in line for one lock, or for several at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiter {
    /// Its place, the same in the lines of all its locks.
    pub ticket: Ticket,
    /// What it will do.
    pub purpose: Purpose,
    /// Its namespace.
    pub namespace: Namespace,
    /// Who waits.
    pub process_id: ProcessId,
    /// For which locks and how; at least one.
    pub wants: Vec<(LockId, Mode)>,
    /// On what terms.
    pub terms: Terms,
    /// The API key that the request was made with, if any.
    pub key_id: Option<KeyId>,
    /// How the request is known when it is sent again, if it may be.
    pub mark: Option<RequestMark>,
    /// When its wait ends.
    pub until: Mono,
}

impl Waiter {
    /// How many holds more than it has there will be when it is served.
    pub(crate) fn new_holds(&self) -> usize {
        match self.purpose {
            Purpose::Acquire => self.wants.len(),
            Purpose::Upgrade => 0,
        }
    }

    /// The holds that it waits for.
    pub fn holds(&self) -> impl Iterator<Item = HoldKey> {
        self.wants.iter().map(|(lock_id, mode)| HoldKey {
            namespace: self.namespace.clone(),
            lock_id: lock_id.clone(),
            mode: *mode,
            process_id: self.process_id.clone(),
        })
    }
}
