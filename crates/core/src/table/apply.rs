//! The one place that changes the table, in live operation and in recovery alike.

use std::collections::BTreeMap;

use super::history::{self, Oldest};
use super::{Claims, Loss, Space, Table};
use crate::change::{Change, EndCause, Shown};
use crate::command::HoldKey;
use crate::history::{Kept, PastHold};
use crate::id::{KeyId, LockId, Namespace, ProcessId};
use crate::limits::{LOSSES_TOLD_FOR, MAX_LOSERS, MAX_LOST_HOLDS};
use crate::line::{Purpose, Ticket, Waiter};
use crate::lock::{Hold, Lock};
use crate::origin::RequestId;
use crate::reply::LostHold;
use crate::time::{Mono, TimeoutSecs, Wall};
use crate::token::FencingToken;

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
                kind,
                created_at,
                updated_at,
                is_provisional,
            } => {
                let lock = Lock::new(uid, kind, created_at, updated_at);
                self.create(namespace, lock_id, Lock { is_provisional, ..lock });
            }
            Change::LockKept { namespace, lock_id } => {
                self.with_lock(&namespace, &lock_id, |lock| lock.is_provisional = false);
            }
            Change::LockClosed { namespace, lock_id } => {
                self.with_lock(&namespace, &lock_id, |lock| lock.is_closing = true);
            }
            Change::LockDeleted { namespace, lock_id, has_row: _ } => {
                self.delete(&namespace, lock_id);
            }
            Change::Granted { hold, held } => self.grant(hold, *held),
            Change::Refreshed { hold, timeout, renewed_at, deadline, timeout_changed: _ } => {
                self.refresh(hold, timeout, renewed_at, deadline);
            }
            Change::Confirmed(hold) => self.confirm(hold),
            Change::Ended { hold, cause, at, by } => self.end(hold, cause, at, by),
            Change::PastDropped { namespace, lock_id, .. } => {
                self.drop_oldest(&namespace, &lock_id);
            }
            Change::PastRead { namespace, lock_id, slot, past } => {
                self.read_past(&namespace, &lock_id, Kept { slot, past: *past });
            }
            Change::Queued(waiter) => self.queue(*waiter),
            Change::WaitEnded { ticket, kept_until } => {
                if let Some(waiter) = self.leave_line(ticket) {
                    self.kept_tickets.keep(&waiter, kept_until, self.limits.max_waiters);
                }
            }
            Change::TicketUsed(ticket) => self.kept_tickets.forget(ticket),
            Change::LeftLine { ticket, why: _ } => drop(self.leave_line(ticket)),
            Change::ReleaseRemembered { hold, idempotency_key, number } => {
                self.releases.remember(hold, idempotency_key, number);
            }
            Change::ReleaseForgotten(hold) => self.releases.forget(&hold),
            Change::HoldsShown { namespace, of, up_to } => self.show(&namespace, of, up_to),
            Change::LossesTold { namespace, process_id, until } => self
                .space_of(&namespace)
                .with_claims(&process_id, |claims| claims.told_losses(until)),
            Change::LossesAcknowledged { namespace, process_id, tokens } => self
                .space_of(&namespace)
                .with_claims(&process_id, |claims| claims.acknowledge_losses(&tokens)),
            Change::RequestRemembered { id, digest, result } => {
                let max = self.limits.max_remembered_releases;
                self.requests.remember(id, digest, *result, max);
            }
            Change::RequestForgotten(hold) => self.forget_request(&hold),
            Change::SequenceAdvanced(token) => self.last_token = self.last_token.max(token),
            Change::KeyCreated(key) => drop(self.keys.insert(key.key_id.clone(), key)),
            Change::KeyLimited { key_id, limits } => {
                self.keys.entry(key_id).and_modify(|key| key.limits = limits);
            }
            Change::KeyRevoked(key_id) => drop(self.keys.remove(&key_id)),
        }
    }

    fn create(&mut self, namespace: Namespace, lock_id: LockId, mut lock: Lock) {
        let space = self.spaces.entry(namespace).or_default();
        lock.past = space.bygone.remove(&lock_id);
        if let Some(past) = &lock.past {
            // Recovery dates a lock by the past holds of its name, whichever lock's they were.
            lock.updated_at = lock.updated_at.max(past.latest());
        }
        let before = space.locks.insert(lock_id, lock);
        assert!(before.is_none(), "a lock is created once");
    }

    fn delete(&mut self, namespace: &Namespace, lock_id: LockId) {
        let space = self.space_of(namespace);
        let lock = space.locks.remove(&lock_id);
        assert!(lock.as_ref().is_some_and(Lock::is_idle), "only an idle lock is deleted");
        let past = lock.and_then(|lock| lock.past);
        space.bygone.extend(past.map(|past| (lock_id, past)));
    }

    fn grant(&mut self, hold: HoldKey, held: Hold) {
        let (token, deadline) = (held.token, held.deadline);
        self.last_token = self.last_token.max(token);
        let space = self.space_of(&hold.namespace);
        space.holds += 1;
        space.with_claims(&hold.process_id, |claims| {
            claims.held.insert((hold.lock_id.clone(), hold.mode));
            claims
                .lost
                .retain(|loss| (&loss.hold.lock_id, loss.hold.mode) != (&hold.lock_id, hold.mode));
        });
        let lock = lock_of(space, &hold);
        lock.updated_at = lock.updated_at.max(held.acquired_at);
        let before = lock.holders_mut(hold.mode).insert(hold.process_id.clone(), held);
        assert!(before.is_none(), "a hold is granted once");
        assert!(lock.keeps_exclusion(), "I1: {hold:?} excludes another hold");
        let before = self.deadlines.insert((deadline, token), hold);
        assert!(before.is_none(), "I3: token {token} was given out twice");
    }

    fn confirm(&mut self, hold: HoldKey) {
        let holders = lock_of(self.space_of(&hold.namespace), &hold).holders_mut(hold.mode);
        holders.entry(hold.process_id).and_modify(|held| held.is_confirmed = true);
    }

    fn refresh(&mut self, hold: HoldKey, timeout: TimeoutSecs, renewed_at: Wall, deadline: Mono) {
        let held = lock_of(self.space_of(&hold.namespace), &hold)
            .holders_mut(hold.mode)
            .get_mut(&hold.process_id);
        assert!(held.is_some(), "I5: refreshed {hold:?}, which is not held");
        if let Some(held) = held {
            let (old, token) = (held.deadline, held.token);
            held.timeout = timeout;
            held.renewed_at = renewed_at;
            held.deadline = deadline;
            held.promised = deadline;
            held.is_confirmed = true;
            self.deadlines.remove(&(old, token));
            self.deadlines.insert((deadline, token), hold);
        }
    }

    fn end(&mut self, hold: HoldKey, cause: EndCause, at: Wall, by: Option<KeyId>) {
        let place = self.limits.keeps_history().then(|| self.history.next_place());
        let space = self.space_of(&hold.namespace);
        space.holds -= 1;
        let lock = lock_of(space, &hold);
        lock.updated_at = lock.updated_at.max(at);
        let holders = lock.holders_mut(hold.mode);
        let held = holders.remove(&hold.process_id);
        if holders.is_empty() {
            // An emptied map keeps its last node, which takes several times what an idle lock does.
            *holders = BTreeMap::new();
        }
        assert!(held.is_some(), "ended {hold:?}, which is not held");
        if let Some(Hold { token, deadline, acquired_at, note, idempotency_key, .. }) = held {
            let kept = place.map(|(slot, number)| {
                let (process_id, mode) = (hold.process_id.clone(), hold.mode);
                let past = PastHold {
                    number,
                    process_id,
                    mode,
                    token,
                    acquired_at,
                    ended_at: at,
                    cause,
                    by,
                    note,
                    idempotency_key,
                };
                let kept = Kept { slot, past };
                let first =
                    lock.past.is_none().then(|| Oldest::of(&hold.namespace, &hold.lock_id, &kept));
                history::keep(&mut lock.past, kept);
                (number, first)
            });
            let is_lost = match cause {
                EndCause::Released | EndCause::Converted => false,
                EndCause::Expired | EndCause::Forced => true,
            };
            space.with_claims(&hold.process_id, |claims| {
                claims.held.remove(&(hold.lock_id.clone(), hold.mode));
                if is_lost {
                    let (lock_id, mode) = (hold.lock_id, hold.mode);
                    claims.lose(LostHold { lock_id, mode, token, cause, ended_at: at });
                }
            });
            if is_lost {
                self.remember_loser(hold.namespace, hold.process_id);
            }
            self.deadlines.remove(&(deadline, token));
            if let Some((number, first)) = kept {
                self.history.added(number, first);
            }
        }
    }

    /// Forgets the losses of whoever lost something longest ago where there are too many (I7).
    fn remember_loser(&mut self, namespace: Namespace, process_id: ProcessId) {
        self.losers.push_back((namespace, process_id));
        if self.losers.len() > MAX_LOSERS
            && let Some((namespace, process_id)) = self.losers.pop_front()
        {
            self.space_of(&namespace).with_claims(&process_id, |claims| claims.lost.clear());
        }
    }

    /// Puts a waiter into the lines of its locks, or back into its place there.
    fn queue(&mut self, waiter: Waiter) {
        let ticket = waiter.ticket;
        self.last_ticket = self.last_ticket.max(ticket);
        self.kept_tickets.forget(ticket);
        if let Some(before) = self.waiters.get(&ticket) {
            self.wait_ends.remove(&(before.until, ticket));
        } else {
            let space = self.space_of(&waiter.namespace);
            space.waiters += 1;
            space.wanted += waiter.new_holds();
            for hold in waiter.holds() {
                let line = lock_of(space, &hold).line.get_or_insert_default();
                match waiter.purpose {
                    Purpose::Acquire => drop(line.waiters.insert(ticket, hold.mode)),
                    Purpose::Upgrade => {
                        let before = line.upgrader.replace(ticket);
                        assert!(before.is_none(), "two upgraders would wait for each other");
                    }
                }
                space.with_claims(&waiter.process_id, |claims| {
                    claims.wanted.insert((hold.lock_id, hold.mode), ticket);
                });
            }
        }
        self.wait_ends.insert((waiter.until, ticket));
        self.waiters.insert(ticket, waiter);
    }

    /// The waiter that had the ticket, out of the queues of all its locks.
    fn leave_line(&mut self, ticket: Ticket) -> Option<Waiter> {
        let waiter = self.waiters.remove(&ticket)?;
        self.wait_ends.remove(&(waiter.until, ticket));
        let space = self.space_of(&waiter.namespace);
        space.waiters -= 1;
        space.wanted -= waiter.new_holds();
        for hold in waiter.holds() {
            let lock = lock_of(space, &hold);
            if let Some(line) = &mut lock.line {
                match waiter.purpose {
                    Purpose::Acquire => drop(line.waiters.remove(&ticket)),
                    Purpose::Upgrade => line.upgrader = None,
                }
                if line.len() == 0 {
                    lock.line = None;
                }
            }
            space.with_claims(&waiter.process_id, |claims| {
                claims.wanted.remove(&(hold.lock_id, hold.mode));
            });
        }
        Some(waiter)
    }

    fn with_lock(
        &mut self,
        namespace: &Namespace,
        lock_id: &LockId,
        change: impl FnOnce(&mut Lock),
    ) {
        if let Some(lock) = self.space_of(namespace).locks.get_mut(lock_id) {
            change(lock);
        }
    }

    fn show(&mut self, namespace: &Namespace, of: Shown, up_to: FencingToken) {
        let space = self.space_of(namespace);
        let shown_up_to = match of {
            Shown::All => Some(&mut space.shown_up_to),
            Shown::Lock(lock_id) => space.locks.get_mut(&lock_id).map(|lock| &mut lock.shown_up_to),
            Shown::Process(process_id) => {
                space.processes.get_mut(&process_id).map(|claims| &mut claims.shown_up_to)
            }
        };
        if let Some(shown_up_to) = shown_up_to {
            *shown_up_to = up_to.max(*shown_up_to);
        }
    }

    fn forget_request(&mut self, hold: &HoldKey) {
        let lock = lock_of(self.space_of(&hold.namespace), hold);
        let held = lock.holders_mut(hold.mode).get_mut(&hold.process_id);
        if let Some(key) = held.and_then(|held| held.idempotency_key.take()) {
            self.requests.forget(&RequestId::of_hold(hold, &key));
        }
    }

    #[expect(clippy::expect_used, reason = "documented panic: a change names a known namespace")]
    fn space_of(&mut self, namespace: &Namespace) -> &mut Space {
        self.spaces.get_mut(namespace).expect("a change names a known namespace")
    }
}

impl Claims {
    fn lose(&mut self, lost: LostHold) {
        if self.lost.len() == MAX_LOST_HOLDS {
            self.lost.pop_front();
        }
        self.lost.push_back(Loss { hold: lost, told_until: None });
    }

    /// Forgets the losses of the holds that had these tokens.
    fn acknowledge_losses(&mut self, tokens: &[FencingToken]) {
        self.lost.retain(|loss| !tokens.contains(&loss.hold.token));
    }

    /// Notes that all losses were told, by an answer that may not arrive, and forgets those that have been
    /// told for long enough. `until` is as long from now as each is told.
    fn told_losses(&mut self, until: Mono) {
        self.lost.retain(|loss| {
            loss.told_until.is_none_or(|told_until| told_until.plus(LOSSES_TOLD_FOR) > until)
        });
        for loss in &mut self.lost {
            loss.told_until.get_or_insert(until);
        }
    }
}

impl Space {
    /// Changes what is known of a process, and forgets it once there is nothing to know.
    fn with_claims(&mut self, process_id: &ProcessId, change: impl FnOnce(&mut Claims)) {
        let claims = match self.processes.get_mut(process_id) {
            Some(claims) => claims,
            None => self.processes.entry(process_id.clone()).or_default(),
        };
        change(claims);
        if claims.held.is_empty() && claims.wanted.is_empty() && claims.lost.is_empty() {
            self.processes.remove(process_id);
        }
    }
}

#[expect(clippy::expect_used, reason = "documented panic: a change names a known lock")]
fn lock_of<'a>(space: &'a mut Space, hold: &HoldKey) -> &'a mut Lock {
    space.locks.get_mut(&hold.lock_id).expect("a change names a known lock")
}
