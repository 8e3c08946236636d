//! From a decision to its effects: apply it, note its rows, tell of it, and serve the lines that it moved.

mod check;
mod effects;
mod reply;

use crate::change::Change;
use crate::command::{Command, HoldKey};
use crate::decide::{self, Decision, Due, Verdict};
use crate::event::Leaving;
use crate::id::{LockId, Namespace};
use crate::line::Ticket;
use crate::reply::Outcome;
use crate::table::Table;
use crate::time::{Now, Wall};
use crate::token::FencingToken;

pub use effects::Effects;

/// Past holds that one end drops at most: one makes room for the hold that ends, and one more lets
/// what is too old, or too many since a limit was lowered, go little by little. So a wall clock that is
/// set wrongly for a moment does not wipe history out.
const MAX_DROPPED: usize = 2;

/// Locks whose line may have moved.
type Moved = Vec<(Namespace, LockId)>;

impl Table {
    /// Decides one command without changing anything.
    #[must_use]
    pub fn decide(&self, now: Now, command: &Command) -> Decision {
        decide::decide(self, now, command)
    }

    /// Decides one command, applies the decision, serves whoever is next in line because of it, and
    /// notes the rows that it all touched.
    ///
    /// The outcome, and those of the waiters in `effects.settled`, rest on those rows: none of them
    /// may leave before they are durable (I2).
    pub fn execute(&mut self, now: Now, command: &Command, effects: &mut Effects) -> Outcome {
        let decision = self.decide(now, command);
        let mut moved = Moved::new();
        for change in &decision.changes {
            self.carry_out(now, change, effects, &mut moved);
        }
        let outcome = match decision.verdict {
            Verdict::Granted(answer) => Outcome::Done(Ok(self.reply(now, answer))),
            Verdict::Refused(refusal) => Outcome::Done(Err(refusal)),
            Verdict::Waiting(ticket) => Outcome::Waiting(ticket),
        };
        effects
            .settled
            .extend(decision.turned_away.into_iter().map(|(t, refusal)| (t, Err(refusal))));
        self.serve(now, moved, effects);
        outcome
    }

    /// Ends the holds and the waits that are due, in the order of their times, at most `limit` of
    /// them, and says how many it ended.
    pub fn expire(&mut self, now: Now, limit: usize, effects: &mut Effects) -> usize {
        let mut count = 0;
        while count < limit {
            let Some(due) = decide::next_due(self, now) else { break };
            let mut moved = Moved::new();
            match due {
                Due::Expiry(change) => {
                    self.carry_out(now, &change, effects, &mut moved);
                }
                Due::WaitEnd { ticket, change, refusal } => {
                    self.carry_out(now, &change, effects, &mut moved);
                    effects.settled.push((ticket, Err(refusal)));
                }
            }
            self.serve(now, moved, effects);
            count += 1;
        }
        count
    }

    /// Takes a waiter whose caller is gone out of the line. Nothing happens if it was served already.
    pub fn hang_up(&mut self, now: Now, ticket: Ticket, effects: &mut Effects) {
        if self.waiter(ticket).is_some() {
            let mut moved = Moved::new();
            let change = Change::LeftLine { ticket, why: Some(Leaving::HungUp) };
            self.carry_out(now, &change, effects, &mut moved);
            self.serve(now, moved, effects);
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
        if let Some(change) = decide::give_back(self, now, hold, token) {
            let mut moved = Moved::new();
            self.carry_out(now, &change, effects, &mut moved);
            self.serve(now, moved, effects);
        }
    }

    fn carry_out(&mut self, now: Now, change: &Change, effects: &mut Effects, moved: &mut Moved) {
        match change {
            Change::Ended { hold, at, .. } => {
                self.make_room(hold, *at, effects);
                moved.push((hold.namespace.clone(), hold.lock_id.clone()));
            }
            Change::LeftLine { ticket, .. } | Change::WaitEnded { ticket, .. } => {
                let waiter = self.waiter(*ticket);
                moved.extend(waiter.into_iter().flat_map(|waiter| {
                    waiter.wants.iter().map(|(id, _)| (waiter.namespace.clone(), id.clone()))
                }));
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

    /// Grants to whoever is next, lock by lock, until no line moves any more (I6).
    fn serve(&mut self, now: Now, mut moved: Moved, effects: &mut Effects) {
        while let Some((namespace, lock_id)) = moved.pop() {
            if let Some((ticket, refusal)) = decide::lapsed_upgrade(self, now, &namespace, &lock_id)
            {
                let change = Change::LeftLine { ticket, why: Some(Leaving::LostHold) };
                self.carry_out(now, &change, effects, &mut moved);
                effects.settled.push((ticket, Err(refusal)));
            }
            while let Some(waiter) = decide::next_in_line(self, &namespace, &lock_id) {
                let ticket = waiter.ticket;
                let Ok((changes, answer)) = decide::grant_waiter(self, now, waiter) else { break };
                for change in &changes {
                    self.carry_out(now, change, effects, &mut moved);
                }
                effects.settled.push((ticket, Ok(self.reply(now, answer))));
            }
            if decide::is_spent(self, &namespace, &lock_id) {
                let change = Change::LockDeleted { namespace, lock_id };
                self.carry_out(now, &change, effects, &mut moved);
            }
        }
    }
}
