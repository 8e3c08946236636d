//! From a decision to its effects: apply it, note its rows, tell of it, and serve the lines that it moved.

mod check;
mod effects;
mod reply;

use crate::change::{Change, Shown};
use crate::command::{Command, HoldKey};
use crate::decide::{self, Decision, Due, Verdict};
use crate::event::Leaving;
use crate::id::Namespace;
use crate::line::Ticket;
use crate::origin::Origin;
use crate::reply::Outcome;
use crate::table::Table;
use crate::time::{Now, Wall};
use crate::token::FencingToken;

pub use effects::Effects;

/// Past holds that one end drops at most: one makes room for the hold that ends, and one more lets
/// what is too old, or too many since a limit was lowered, go little by little. So a wall clock that is
/// set wrongly for a moment does not wipe history out.
const MAX_DROPPED: usize = 2;

impl Table {
    /// Decides one command without changing anything.
    #[must_use]
    pub fn decide(&self, now: Now, origin: &Origin, command: &Command) -> Decision {
        decide::decide(self, now, origin, command)
    }

    /// Decides one command, applies the decision, serves those that are next in the queues because of it,
    /// and notes the rows that it all touched.
    ///
    /// The outcome, and those of the waiters in `effects.settled`, rest on those rows: none of them
    /// may leave before they are durable (I2). What an outcome shows a client of its holds stays its own:
    /// they are not given back any more.
    pub fn execute(
        &mut self,
        now: Now,
        origin: &Origin,
        command: &Command,
        effects: &mut Effects,
    ) -> Outcome {
        let decision = self.decide(now, origin, command);
        for change in &decision.changes {
            self.carry_out(now, change, effects);
        }
        let outcome = match decision.verdict {
            Verdict::Granted(answer) => Outcome::Done(Ok(self.reply(now, answer))),
            Verdict::Refused(refusal) => Outcome::Done(Err(refusal)),
            Verdict::Waiting(ticket) => Outcome::Waiting(ticket),
            Verdict::Continues { next, part } => {
                let part = Box::new(self.reply(now, part));
                Outcome::Continues { next, part }
            }
        };
        self.note_shown(now, command, &outcome, effects);
        for (ticket, refusal) in decision.turned_away {
            effects.settled.push((ticket, Err(refusal)));
        }
        self.serve(now, effects);
        outcome
    }

    /// Notes which holds an outcome shows to a client that may be their holder.
    fn note_shown(
        &mut self,
        now: Now,
        command: &Command,
        outcome: &Outcome,
        effects: &mut Effects,
    ) {
        let changes = decide::shown(self, command, outcome);
        for change in &changes {
            self.carry_out(now, change, effects);
        }
    }

    /// Notes that events have told all that is held in a namespace.
    pub fn events_shown(&mut self, namespace: &Namespace) {
        if self.space(namespace).is_some() {
            let (namespace, up_to) = (namespace.clone(), self.last_token());
            self.apply(Change::HoldsShown { namespace, of: Shown::All, up_to });
        }
    }

    /// Ends the holds and the waits that are due, in the order of their times, at most `limit` of
    /// them, and says how many it ended.
    pub fn expire(&mut self, now: Now, limit: usize, effects: &mut Effects) -> usize {
        let mut count = 0;
        self.serve(now, effects);
        while count < limit && !effects.is_full() {
            let Some(due) = decide::next_due(self, now) else { break };
            match due {
                Due::Expiry(change) => {
                    self.carry_out(now, &change, effects);
                }
                Due::WaitEnd { ticket, change, refusal } => {
                    self.carry_out(now, &change, effects);
                    effects.settled.push((ticket, Err(refusal)));
                }
            }
            self.serve(now, effects);
            count += 1;
        }
        count
    }

    /// Whether [`Table::expire`] has anything to do by now.
    #[must_use]
    pub fn is_due(&self, now: Now) -> bool {
        self.next_deadline().is_some_and(|due| due <= now.mono)
    }

    /// Takes a waiter whose caller is gone out of the line. Nothing happens if it was served already.
    pub fn hang_up(&mut self, now: Now, ticket: Ticket, effects: &mut Effects) {
        if self.waiter(ticket).is_some() {
            let change = Change::LeftLine { ticket, why: Some(Leaving::HungUp) };
            self.carry_out(now, &change, effects);
            self.serve(now, effects);
        }
    }

    /// Ends a hold that was granted to a caller who turned out to be gone, unless its process has been
    /// heard of since, or the hold is over already.
    pub fn give_back(
        &mut self,
        now: Now,
        hold: &HoldKey,
        token: FencingToken,
        effects: &mut Effects,
    ) {
        if let Some(changes) = decide::give_back(self, now, hold, token) {
            for change in &changes {
                self.carry_out(now, change, effects);
            }
            self.serve(now, effects);
        }
    }

    fn carry_out(&mut self, now: Now, change: &Change, effects: &mut Effects) {
        match change {
            Change::Ended { hold, at, .. } => {
                self.make_room(hold, *at, effects);
                self.unserved.push((hold.namespace.clone(), hold.lock_id.clone()));
            }
            Change::LeftLine { ticket, .. } | Change::WaitEnded { ticket, .. } => {
                let queues = self.waiter(*ticket).map(|waiter| {
                    let wants = waiter.wants.iter();
                    wants.map(|(id, _)| (waiter.namespace.clone(), id.clone())).collect::<Vec<_>>()
                });
                self.unserved.extend(queues.into_iter().flatten());
            }
            Change::LockCreated { .. }
            | Change::LockDeleted { .. }
            | Change::PastDropped { .. }
            | Change::PastRead { .. }
            | Change::Granted { .. }
            | Change::Refreshed { .. }
            | Change::Confirmed(_)
            | Change::Queued(_)
            | Change::TicketUsed(_)
            | Change::LockKept { .. }
            | Change::LockClosed { .. }
            | Change::HoldsShown { .. }
            | Change::LossesAcknowledged { .. }
            | Change::RequestRemembered { .. }
            | Change::RequestForgotten(_)
            | Change::LossesTold { .. }
            | Change::ReleaseRemembered { .. }
            | Change::ReleaseForgotten(_)
            | Change::SequenceAdvanced(_)
            | Change::KeyCreated(_)
            | Change::KeyLimited { .. }
            | Change::KeyRevoked(_) => {}
        }
        effects.count(change);
        self.tell(now, change, &mut effects.events);
        self.apply(change.clone());
        self.record(change, &mut effects.batch);
    }

    /// Makes room in history for a hold that is about to end.
    fn make_room(&mut self, hold: &HoldKey, at: Wall, effects: &mut Effects) {
        for _ in 0..MAX_DROPPED {
            let Some(dropped) = decide::next_outdated(self, hold, at) else { break };
            self.apply(dropped.clone());
            self.record(&dropped, &mut effects.batch);
        }
    }

    /// Grants to those that are next, lock by lock, until no queue moves any more (I6), or until the round
    /// is full: then the next round goes on.
    fn serve(&mut self, now: Now, effects: &mut Effects) {
        while let Some((namespace, lock_id)) = self.unserved.pop() {
            if let Some((ticket, refusal)) = decide::lapsed_upgrade(self, now, &namespace, &lock_id)
            {
                let change = Change::LeftLine { ticket, why: Some(Leaving::LostHold) };
                self.carry_out(now, &change, effects);
                effects.settled.push((ticket, Err(refusal)));
            }
            while let Some(waiter) = decide::next_in_line(self, &namespace, &lock_id) {
                if effects.is_full() {
                    self.unserved.push((namespace, lock_id));
                    return;
                }
                let ticket = waiter.ticket;
                let Ok((changes, answer)) = decide::grant_waiter(self, now, waiter) else { break };
                for change in &changes {
                    self.carry_out(now, change, effects);
                }
                effects.settled.push((ticket, Ok(self.reply(now, answer))));
            }
            if let Some(change) = decide::spent(self, &namespace, &lock_id) {
                self.carry_out(now, &change, effects);
            }
        }
    }
}
