//! The lock table: every lock, hold, line, deadline and key, in memory, with one owner.

mod apply;
mod check;
mod history;
mod kept_tickets;
mod process;
mod record;
mod recovery;
mod releases;
mod tell;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use crate::command::{HoldKey, Mode};
use crate::deadlines::Deadlines;
use crate::history::Past;
use crate::id::{KeyId, LockId, Namespace, ProcessId};
use crate::key::ApiKey;
use crate::limits::Limits;
use crate::line::{Ticket, Waiter};
use crate::lock::Lock;
use crate::reply::LostHold;
use crate::requests::Requests;
use crate::time::Mono;
use crate::token::FencingToken;

pub use check::Inconsistency;
pub(crate) use check::agree;
pub(crate) use history::History;
use kept_tickets::KeptTickets;
pub(crate) use kept_tickets::Request;
pub use recovery::{Recovery, Violation};
pub(crate) use releases::Releases;

/// What one process holds, stands in line for, and has lost.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    pub(crate) held: BTreeSet<(LockId, Mode)>,
    pub(crate) wanted: BTreeMap<(LockId, Mode), Ticket>,
    /// Holds that expired or were broken, the newest last, until the process has heard of them.
    pub(crate) lost: VecDeque<Loss>,
    /// Holds with tokens up to this one were shown to the process.
    pub(crate) shown_up_to: FencingToken,
}

/// A hold that a process lost.
#[derive(Debug)]
pub(crate) struct Loss {
    pub(crate) hold: LostHold,
    /// It was told; it is told again until then, because an answer may not arrive.
    pub(crate) told_until: Option<Mono>,
}

/// The locks of one namespace, and who holds and wants what there.
#[derive(Debug, Default)]
pub(crate) struct Space {
    pub(crate) locks: BTreeMap<LockId, Lock>,
    /// The processes that hold something, stand in some line, or were not told yet what they lost.
    pub(crate) processes: BTreeMap<ProcessId, Claims>,
    /// Holds of all its locks.
    pub(crate) holds: usize,
    /// Requests in line.
    pub(crate) waiters: usize,
    /// Holds that they wait for, beside those that they have.
    pub(crate) wanted: usize,
    /// The past holds of names that no lock has now.
    pub(crate) bygone: BTreeMap<LockId, Box<Past>>,
    /// Events told of the grants of all holds with tokens up to this one.
    pub(crate) shown_up_to: FencingToken,
}

/// The whole state of the service. [`Table::decide`] reads it, [`Table::apply`] alone writes it.
#[derive(Debug)]
pub struct Table {
    limits: Limits,
    deadlines_kept: Deadlines,
    spaces: BTreeMap<Namespace, Space>,
    deadlines: BTreeMap<(Mono, FencingToken), HoldKey>,
    waiters: BTreeMap<Ticket, Waiter>,
    wait_ends: BTreeSet<(Mono, Ticket)>,
    last_ticket: Ticket,
    kept_tickets: KeptTickets,
    last_token: FencingToken,
    releases: Releases,
    requests: Requests,
    /// Locks whose queues may have moved, and that have not been looked at for that. Empty between rounds,
    /// unless one was full.
    pub(crate) unserved: Vec<(Namespace, LockId)>,
    /// Processes that lost something, the longest ago first.
    losers: VecDeque<(Namespace, ProcessId)>,
    history: History,
    keys: BTreeMap<KeyId, ApiKey>,
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
    /// Requests in line for its locks.
    pub waiters: usize,
}

impl Table {
    /// An empty table that keeps no deadlines.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            deadlines_kept: Deadlines::Anew,
            spaces: BTreeMap::new(),
            deadlines: BTreeMap::new(),
            waiters: BTreeMap::new(),
            wait_ends: BTreeSet::new(),
            last_ticket: Ticket::default(),
            kept_tickets: KeptTickets::default(),
            last_token: FencingToken::default(),
            releases: Releases::default(),
            requests: Requests::default(),
            unserved: Vec::new(),
            losers: VecDeque::new(),
            history: History::default(),
            keys: BTreeMap::new(),
        }
    }

    /// When the next hold expires or the next wait ends, if any.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Mono> {
        if !self.unserved.is_empty() {
            return Some(Mono::default());
        }
        self.next_expiry().into_iter().chain(self.next_wait_end().map(|(at, _)| at)).min()
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
            waiters: space.waiters,
        })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn space(&self, namespace: &Namespace) -> Option<&Space> {
        self.spaces.get(namespace)
    }

    /// All locks.
    pub(crate) fn locks(&self) -> impl Iterator<Item = (&Namespace, &LockId, &Lock)> {
        self.spaces.iter().flat_map(|(namespace, space)| {
            space.locks.iter().map(move |(lock_id, lock)| (namespace, lock_id, lock))
        })
    }

    pub(crate) fn lock(&self, namespace: &Namespace, lock_id: &LockId) -> Option<&Lock> {
        self.spaces.get(namespace)?.locks.get(lock_id)
    }

    pub(crate) fn lock_count(&self, namespace: &Namespace) -> usize {
        self.spaces.get(namespace).map_or(0, |space| space.locks.len())
    }

    /// Whether there is an API key of this name.
    #[must_use]
    pub fn has_key(&self, key_id: &KeyId) -> bool {
        self.keys.contains_key(key_id)
    }

    /// The requests that are remembered.
    pub(crate) fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Whether the queue of a lock waits for the next round to be served.
    pub(crate) fn is_unserved(&self, namespace: &Namespace, lock_id: &LockId) -> bool {
        self.unserved.iter().any(|(space, id)| (space, id) == (namespace, lock_id))
    }

    /// Holds up to this token were shown to a client that may hold this one.
    pub(crate) fn shown_up_to(&self, hold: &HoldKey) -> FencingToken {
        let Some(space) = self.space(&hold.namespace) else { return FencingToken::default() };
        let lock = space.locks.get(&hold.lock_id).map(|lock| lock.shown_up_to);
        let process = space.processes.get(&hold.process_id).map(|claims| claims.shown_up_to);
        [lock, process].into_iter().flatten().fold(space.shown_up_to, FencingToken::max)
    }

    /// The releases that are remembered.
    pub(crate) fn releases(&self) -> &Releases {
        &self.releases
    }

    /// What all past holds add up to.
    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// When the next hold expires.
    pub(crate) fn next_expiry(&self) -> Option<Mono> {
        self.deadlines.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// The hold that expires next.
    pub(crate) fn next_to_expire(&self) -> Option<&HoldKey> {
        self.deadlines.first_key_value().map(|(_, hold)| hold)
    }

    /// The wait that ends next.
    pub(crate) fn next_wait_end(&self) -> Option<(Mono, Ticket)> {
        self.wait_ends.first().copied()
    }

    pub(crate) fn next_ticket(&self) -> Ticket {
        Ticket(self.last_ticket.0 + 1)
    }

    /// The ticket of an earlier wait of the same request, if it is kept still.
    pub(crate) fn kept_ticket(&self, request: &Request, now: Mono) -> Option<Ticket> {
        self.kept_tickets.find(request, now)
    }

    pub(crate) fn waiter(&self, ticket: Ticket) -> Option<&Waiter> {
        self.waiters.get(&ticket)
    }

    /// The waiters of a namespace, in the order of their tickets.
    pub(crate) fn waiters_of(&self, namespace: &Namespace) -> impl Iterator<Item = &Waiter> {
        self.waiters.values().filter(move |waiter| waiter.namespace == *namespace)
    }

    /// Requests in line in the whole service.
    pub(crate) fn waiter_count(&self) -> usize {
        self.waiters.len()
    }

    /// What a process holds and stands in line for, if anything.
    pub(crate) fn claims(&self, namespace: &Namespace, process_id: &ProcessId) -> Option<&Claims> {
        self.spaces.get(namespace)?.processes.get(process_id)
    }

    /// What a process has lost and may not have heard of, the oldest first.
    pub(crate) fn losses_of(
        &self,
        namespace: &Namespace,
        process_id: &ProcessId,
        now: Mono,
    ) -> Vec<LostHold> {
        let claims = self.claims(namespace, process_id).into_iter();
        let losses = claims.flat_map(|claims| &claims.lost);
        let untold = losses.filter(|loss| loss.told_until.is_none_or(|until| now < until));
        untold.map(|loss| loss.hold.clone()).collect()
    }

    /// The holds of a process, by lock and mode, after this one.
    pub(crate) fn holds_after(
        &self,
        namespace: &Namespace,
        process_id: &ProcessId,
        after: Option<&(LockId, Mode)>,
    ) -> impl Iterator<Item = HoldKey> {
        let from = after.cloned().map_or(Bound::Unbounded, Bound::Excluded);
        let claims = self.claims(namespace, process_id).into_iter();
        let held =
            claims.flat_map(move |claims| claims.held.range((from.clone(), Bound::Unbounded)));
        held.map(|(lock_id, mode)| HoldKey {
            namespace: namespace.clone(),
            lock_id: lock_id.clone(),
            mode: *mode,
            process_id: process_id.clone(),
        })
    }
}
