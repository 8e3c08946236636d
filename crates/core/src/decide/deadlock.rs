//! Would this wait ever end? The table sees every holder and every waiter, so it can tell before
//! anybody stands in line.
//!
//! Whoever waits for a lock needs others to move on: every holder of the other mode; *one* of the
//! holders, if the lock has as many as it permits; everybody ahead in line. A process that waits for
//! nothing can move on, and so can one whose needs are all met by others who can. If the process that
//! asks could not, and those who hold it up wait for it in turn, its wait would close a circle.
//!
//! A client whose wait timed out is not in the queue, though its ticket is kept for a moment: it holds
//! nothing up, and is free to do something else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use crate::command::{HoldKey, Mode};
use crate::id::{LockId, Namespace, ProcessId};
use crate::line::{Purpose, Ticket, Waiter};
use crate::lock::Lock;
use crate::reply::CycleStep;
use crate::table::{Claims, Table};

/// Looks at others that one search takes, at most. Whom it has not looked at by then counts as able to
/// move on: the wait is allowed, and its end and the timeouts of the holds bound it all the same.
const BUDGET: usize = 1_000;

/// Processes that may wait for the one that asks, as many as are looked at before a search is begun.
const FEW: usize = 100;

/// A wait that is being thought of.
pub(super) struct Plan<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) process_id: &'a ProcessId,
    pub(super) wants: &'a [(LockId, Mode)],
    pub(super) purpose: Purpose,
    /// Its place in line, if it has one already.
    pub(super) place: Option<Ticket>,
}

/// The circle that the wait would close, the asking process first; `None` if it closes none.
pub(super) fn find(table: &Table, plan: &Plan<'_>) -> Option<Vec<CycleStep>> {
    let claims = table.claims(plan.namespace, plan.process_id)?;
    if let Some((lock_id, mode)) = plan.wants.iter().find(|want| is_in_own_way(claims, plan, want))
    {
        return Some(vec![step(plan.process_id, lock_id, *mode)]);
    }
    if !may_close_a_circle(table, plan) {
        return None;
    }
    let mut search = Search {
        table,
        namespace: plan.namespace,
        budget: BUDGET,
        nodes: Vec::new(),
        by_process: BTreeMap::new(),
        needs: Vec::new(),
    };
    let asking = search.node(plan.process_id);
    search.add_request(asking, plan.wants, plan.purpose, plan.place);
    search.explore(asking);
    search.let_move_on();
    search.circle_of(asking)
}

/// Whether the process would wait for itself: for a hold of its own in the other mode, or for a place
/// of its own ahead in the same line.
fn is_in_own_way(claims: &Claims, plan: &Plan<'_>, (lock_id, mode): &(LockId, Mode)) -> bool {
    let opposite = (lock_id.clone(), mode.opposite());
    plan.purpose == Purpose::Acquire
        && (claims.held.contains(&opposite) || claims.wanted.contains_key(&opposite))
}

/// Whether anybody who waits for the process, at whatever remove, holds or wants what it wants. Without
/// that there is no circle, whatever else it waits for. Looks at a few only: true if there are more.
fn may_close_a_circle(table: &Table, plan: &Plan<'_>) -> bool {
    let mut held_up = BTreeSet::from([plan.process_id]);
    let mut next = vec![plan.process_id];
    while let Some(claims) = next.pop().and_then(|process| table.claims(plan.namespace, process)) {
        if claims.held.len() > BUDGET {
            return true;
        }
        for waiter in those_behind(table, plan.namespace, claims) {
            if held_up.len() > FEW {
                return true;
            }
            if held_up.insert(&waiter.process_id) {
                if table.claims(plan.namespace, &waiter.process_id).is_some_and(|c| meets(c, plan))
                {
                    return true;
                }
                next.push(&waiter.process_id);
            }
        }
    }
    false
}

/// Those who may wait for a process: in line for what it holds, or after it for what it wants.
fn those_behind<'a>(
    table: &'a Table,
    namespace: &'a Namespace,
    claims: &'a Claims,
) -> impl Iterator<Item = &'a Waiter> {
    let held = claims.held.iter().map(|(lock_id, _)| (lock_id, Ticket::default()));
    let wanted = claims.wanted.iter().map(|((lock_id, _), ticket)| (lock_id, *ticket));
    let lines = held.chain(wanted).filter_map(move |(lock_id, after)| {
        Some((table.lock(namespace, lock_id)?.line.as_ref()?, after))
    });
    let tickets = lines.flat_map(|(line, after)| {
        let behind = line.waiters.range((Bound::Excluded(after), Bound::Unbounded));
        line.upgrader.into_iter().chain(behind.map(|(ticket, _)| *ticket))
    });
    tickets.filter_map(|ticket| table.waiter(ticket))
}

/// Whether a process holds or wants any of the locks of a plan.
fn meets(claims: &Claims, plan: &Plan<'_>) -> bool {
    plan.wants.iter().any(|(lock_id, mode)| {
        [*mode, mode.opposite()].into_iter().any(|mode| {
            let want = (lock_id.clone(), mode);
            claims.held.contains(&want) || claims.wanted.contains_key(&want)
        })
    })
}

fn step(process_id: &ProcessId, lock_id: &LockId, mode: Mode) -> CycleStep {
    CycleStep { process_id: process_id.clone(), lock_id: lock_id.clone(), mode }
}

/// One process of the search.
struct Node<'a> {
    process_id: &'a ProcessId,
    /// What it needs, as places in [`Search::needs`].
    needs: Vec<usize>,
    unmet: usize,
    /// The needs of others that it can meet.
    can_meet: Vec<usize>,
}

/// A process needs one of these to move on.
struct Need<'a> {
    owner: usize,
    lock_id: &'a LockId,
    mode: Mode,
    one_of: Vec<usize>,
    /// They stand ahead in line; otherwise they hold the lock.
    is_for_line: bool,
    is_met: bool,
}

struct Search<'a> {
    table: &'a Table,
    namespace: &'a Namespace,
    budget: usize,
    nodes: Vec<Node<'a>>,
    by_process: BTreeMap<&'a ProcessId, usize>,
    needs: Vec<Need<'a>>,
}

impl<'a> Search<'a> {
    fn node(&mut self, process_id: &'a ProcessId) -> usize {
        *self.by_process.entry(process_id).or_insert_with(|| {
            self.nodes.push(Node { process_id, needs: Vec::new(), unmet: 0, can_meet: Vec::new() });
            self.nodes.len() - 1
        })
    }

    /// Looks at the waits of everybody whom the asking process may depend on.
    fn explore(&mut self, asking: usize) {
        // Nodes are added while this runs; each is looked at once.
        let mut next = asking + 1;
        while next < self.nodes.len() && self.budget > 0 {
            let table = self.table;
            let claims = table.claims(self.namespace, self.nodes[next].process_id);
            let wanted = claims.into_iter().flat_map(|claims| claims.wanted.values());
            let tickets: BTreeSet<Ticket> = wanted.take(self.budget).copied().collect();
            for waiter in tickets.into_iter().filter_map(|ticket| table.waiter(ticket)) {
                self.add_request(next, &waiter.wants, waiter.purpose, Some(waiter.ticket));
            }
            next += 1;
        }
    }

    fn add_request(
        &mut self,
        owner: usize,
        wants: &'a [(LockId, Mode)],
        purpose: Purpose,
        place: Option<Ticket>,
    ) {
        for (lock_id, mode) in wants {
            let Some(lock) = self.table.lock(self.namespace, lock_id) else { continue };
            let process_id = self.nodes[owner].process_id;
            for opponent in lock.opponents(*mode).keys().take(self.budget) {
                // An upgrader does not wait for its own hold for reading.
                if purpose == Purpose::Acquire || opponent != process_id {
                    self.add_need(owner, lock_id, *mode, [opponent]);
                }
            }
            if lock.is_full(*mode) && lock.holders(*mode).len() <= self.budget {
                self.add_need(owner, lock_id, *mode, lock.holders(*mode).keys());
            }
            match purpose {
                Purpose::Upgrade => {}
                Purpose::Acquire => self.add_line(owner, lock, lock_id, *mode, place),
            }
        }
    }

    /// The next one ahead in the queue: it needs all those before it itself.
    fn add_line(
        &mut self,
        owner: usize,
        lock: &'a Lock,
        lock_id: &'a LockId,
        mode: Mode,
        place: Option<Ticket>,
    ) {
        let Some(line) = &lock.line else { return };
        let ahead = line.waiters.range(..place.unwrap_or(Ticket(u64::MAX))).next_back();
        let ahead = ahead.map(|(ticket, _)| *ticket).or(line.upgrader);
        if let Some(waiter) = ahead.and_then(|ticket| self.table.waiter(ticket)) {
            let need = self.add_need(owner, lock_id, mode, [&waiter.process_id]);
            self.needs[need].is_for_line = true;
        }
    }

    fn add_need(
        &mut self,
        owner: usize,
        lock_id: &'a LockId,
        mode: Mode,
        one_of: impl IntoIterator<Item = &'a ProcessId>,
    ) -> usize {
        let one_of: Vec<usize> = one_of.into_iter().map(|process| self.node(process)).collect();
        self.budget = self.budget.saturating_sub(one_of.len());
        let need = self.needs.len();
        for node in &one_of {
            self.nodes[*node].can_meet.push(need);
        }
        self.nodes[owner].needs.push(need);
        self.nodes[owner].unmet += 1;
        self.needs.push(Need { owner, lock_id, mode, one_of, is_for_line: false, is_met: false });
        need
    }

    /// Meets every need that can be met, starting with the processes that need nothing.
    fn let_move_on(&mut self) {
        let free = self.nodes.iter().enumerate().filter(|(_, node)| node.unmet == 0);
        let mut movers: Vec<usize> = free.map(|(node, _)| node).collect();
        while let Some(mover) = movers.pop() {
            for need in std::mem::take(&mut self.nodes[mover].can_meet) {
                let need = &mut self.needs[need];
                if !std::mem::replace(&mut need.is_met, true) {
                    let owner = &mut self.nodes[need.owner];
                    owner.unmet -= 1;
                    if owner.unmet == 0 {
                        movers.push(need.owner);
                    }
                }
            }
        }
    }

    /// The shortest way from the asking process, along unmet needs, back to itself.
    fn circle_of(&self, asking: usize) -> Option<Vec<CycleStep>> {
        let mut reached_by: BTreeMap<usize, &Need<'a>> = BTreeMap::new();
        let mut queue = VecDeque::from([asking]);
        while let Some(node) = queue.pop_front() {
            let unmet = self.nodes[node].needs.iter().map(|need| &self.needs[*need]);
            for need in unmet.filter(|need| !need.is_met) {
                for blocker in &need.one_of {
                    if !reached_by.contains_key(blocker) {
                        reached_by.insert(*blocker, need);
                        queue.push_back(*blocker);
                    }
                }
            }
            if reached_by.contains_key(&asking) {
                return Some(self.steps_to(asking, &reached_by));
            }
        }
        None
    }

    fn steps_to(&self, asking: usize, reached_by: &BTreeMap<usize, &Need<'a>>) -> Vec<CycleStep> {
        let mut needs: Vec<&Need<'a>> = Vec::new();
        let mut at = asking;
        while let Some(need) = reached_by.get(&at) {
            needs.push(need);
            at = need.owner;
            if at == asking {
                break;
            }
        }
        needs.reverse();
        // From one to the next in line to the next in line: the last of them is ahead of the first.
        needs.dedup_by(|next, need| {
            next.is_for_line && need.is_for_line && next.lock_id == need.lock_id
        });
        let step_of =
            |need: &&Need<'a>| step(self.nodes[need.owner].process_id, need.lock_id, need.mode);
        needs.iter().map(step_of).collect()
    }
}

/// The circle of two readers who both wait to become the writer.
pub(super) fn of_two_upgraders(second: &HoldKey, first: &ProcessId) -> Vec<CycleStep> {
    [&second.process_id, first]
        .map(|process_id| step(process_id, &second.lock_id, Mode::Write))
        .into()
}
