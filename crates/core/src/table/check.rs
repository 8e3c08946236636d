//! Whether the table agrees with itself: every index with what it indexes.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::history::Oldest;
use super::{Claims, Space, Table};
use crate::command::{HoldKey, Mode};
use crate::id::{LockId, Namespace, ProcessId};
use crate::line::{Purpose, Ticket, Waiter};
use crate::lock::{Hold, Line, Lock};

/// What does not agree.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{0}")]
pub struct Inconsistency(String);

pub(crate) fn agree(agrees: bool, what: impl FnOnce() -> String) -> Result<(), Inconsistency> {
    if agrees { Ok(()) } else { Err(Inconsistency(what())) }
}

impl Table {
    /// Looks through the whole table, which costs as much as there is.
    pub(crate) fn check_indexes(&self) -> Result<(), Inconsistency> {
        for (namespace, space) in &self.spaces {
            for (lock_id, lock) in &space.locks {
                self.check_line(namespace, lock_id, lock)?;
            }
            self.check_claims(namespace, space)?;
        }
        self.check_deadlines()?;
        self.check_history()?;
        agree(self.kept_tickets.is_consistent(), || format!("{:?}", self.kept_tickets))?;
        let ends: BTreeSet<_> = self.waiters.values().map(|w| (w.until, w.ticket)).collect();
        agree(ends == self.wait_ends, || format!("{ends:?} end, not {:?}", self.wait_ends))
    }

    fn check_deadlines(&self) -> Result<(), Inconsistency> {
        let mut deadlines = BTreeMap::new();
        for (namespace, space) in &self.spaces {
            for (lock_id, lock) in &space.locks {
                for (hold, held) in holds_of(namespace, lock_id, lock) {
                    deadlines.insert((held.deadline, held.token), hold);
                }
            }
        }
        agree(deadlines == self.deadlines, || {
            format!("{deadlines:?} are due, not {:?}", self.deadlines)
        })
    }

    fn check_history(&self) -> Result<(), Inconsistency> {
        let (mut oldest, mut len) = (BTreeMap::new(), 0);
        for (namespace, space) in &self.spaces {
            let pasts = space.locks.iter().filter_map(|(id, lock)| Some((id, lock.past.as_ref()?)));
            for (lock_id, past) in pasts.chain(&space.bygone) {
                let is_in_order = past.iter().is_sorted_by(|a, b| a.past.number < b.past.number);
                agree(is_in_order, || format!("{lock_id} has {past:?}"))?;
                len += past.len();
                oldest.extend(
                    past.oldest()
                        .map(|kept| (kept.past.number, Oldest::of(namespace, lock_id, kept))),
                );
                agree(!past.is_empty(), || format!("{lock_id} has an empty past"))?;
            }
            let bygone = space.bygone.keys().find(|lock_id| space.locks.contains_key(*lock_id));
            agree(bygone.is_none(), || format!("{bygone:?} is there, and bygone"))?;
        }
        agree(&oldest == self.history.oldest_of_each() && len == self.history.len(), || {
            format!("{oldest:?} are the oldest of {len}, not {:?}", self.history)
        })
    }

    fn check_line(
        &self,
        namespace: &Namespace,
        lock_id: &LockId,
        lock: &Lock,
    ) -> Result<(), Inconsistency> {
        let mut line = Line::default();
        for waiter in self.waiters_of(namespace) {
            for (_, mode) in waiter.wants.iter().filter(|(id, _)| id == lock_id) {
                match waiter.purpose {
                    Purpose::Acquire => drop(line.waiters.insert(waiter.ticket, *mode)),
                    Purpose::Upgrade => {
                        line.upgrader = Some(waiter.ticket);
                        agree(lock.readers.contains_key(&waiter.process_id), || {
                            format!("{} cannot upgrade in {lock_id}", waiter.process_id)
                        })?;
                    }
                }
            }
        }
        let line = (line.len() > 0).then_some(Box::new(line));
        agree(line == lock.line, || format!("{lock_id} has {:?}, not {line:?}", lock.line))
    }

    fn check_claims(&self, namespace: &Namespace, space: &Space) -> Result<(), Inconsistency> {
        let mut held: BTreeMap<ProcessId, BTreeSet<(LockId, Mode)>> = BTreeMap::new();
        let mut wanted: BTreeMap<ProcessId, BTreeMap<(LockId, Mode), Ticket>> = BTreeMap::new();
        for (lock_id, lock) in &space.locks {
            for (hold, _) in holds_of(namespace, lock_id, lock) {
                held.entry(hold.process_id).or_default().insert((hold.lock_id, hold.mode));
            }
        }
        for waiter in self.waiters_of(namespace) {
            let wants = wanted.entry(waiter.process_id.clone()).or_default();
            wants.extend(waiter.wants.iter().map(|want| (want.clone(), waiter.ticket)));
        }
        let holds = held.values().map(BTreeSet::len).sum::<usize>();
        let waiters = self.waiters_of(namespace).count();
        let new_holds = self.waiters_of(namespace).map(Waiter::new_holds).sum::<usize>();
        agree((holds, waiters, new_holds) == (space.holds, space.waiters, space.wanted), || {
            format!("{namespace} has {holds} holds and {waiters} waiters, not {space:?}")
        })?;
        let known: BTreeSet<&ProcessId> = held.keys().chain(wanted.keys()).collect();
        let is_active = |claims: &Claims| !claims.held.is_empty() || !claims.wanted.is_empty();
        let active = space.processes.iter().filter(|(_, claims)| is_active(claims));
        agree(known.into_iter().eq(active.map(|(process_id, _)| process_id)), || {
            format!("{namespace} knows {:?}", space.processes)
        })?;
        for (process_id, claims) in &space.processes {
            agree(is_active(claims) || !claims.lost.is_empty(), || {
                format!("{process_id} is known for nothing")
            })?;
            let held = held.remove(process_id).unwrap_or_default();
            let wanted = wanted.remove(process_id).unwrap_or_default();
            agree(held == claims.held && wanted == claims.wanted, || {
                format!("{process_id} holds {held:?} and wants {wanted:?}, not {claims:?}")
            })?;
            self.check_own_way(process_id, claims)?;
        }
        Ok(())
    }

    /// Nobody waits for itself.
    fn check_own_way(&self, process_id: &ProcessId, claims: &Claims) -> Result<(), Inconsistency> {
        for ((lock_id, mode), ticket) in &claims.wanted {
            let opposite = (lock_id.clone(), mode.opposite());
            let is_upgrade =
                self.waiter(*ticket).is_some_and(|waiter| waiter.purpose == Purpose::Upgrade);
            let stands_in_own_way = claims.held.contains(&(lock_id.clone(), *mode))
                || claims.wanted.contains_key(&opposite)
                || (!is_upgrade && claims.held.contains(&opposite));
            agree(!stands_in_own_way, || {
                format!("{process_id} waits for itself in {lock_id}: {claims:?}")
            })?;
        }
        Ok(())
    }
}

fn holds_of<'a>(
    namespace: &'a Namespace,
    lock_id: &'a LockId,
    lock: &'a Lock,
) -> impl Iterator<Item = (HoldKey, &'a Hold)> {
    [Mode::Read, Mode::Write].into_iter().flat_map(move |mode| {
        lock.holders(mode).iter().map(move |(process_id, held)| {
            let (namespace, lock_id) = (namespace.clone(), lock_id.clone());
            (HoldKey { namespace, lock_id, mode, process_id: process_id.clone() }, held)
        })
    })
}
