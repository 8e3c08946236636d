//! What a change means to those who follow the locks.

use super::Table;
use crate::change::Change;
use crate::command::HoldKey;
use crate::decide::position;
use crate::event::{Event, EventKind, Leaving, Party};
use crate::id::{LockId, Namespace, Note};
use crate::line::{Ticket, Waiter};
use crate::lock::Hold;
use crate::time::Now;

impl Table {
    /// Tells of a change that is about to be applied: after it the table would not know any more whose
    /// hold ended, or who left the line.
    pub(crate) fn tell(&self, now: Now, change: &Change, events: &mut Vec<Event>) {
        let mut tell = |namespace: &Namespace, lock_id: &LockId, kind| {
            let (namespace, lock_id) = (namespace.clone(), lock_id.clone());
            events.push(Event { namespace, lock_id, at: now.wall, kind });
        };
        match change {
            Change::LockCreated { namespace, lock_id, .. } => {
                tell(namespace, lock_id, EventKind::Created);
            }
            Change::LockDeleted { namespace, lock_id, .. } => {
                tell(namespace, lock_id, EventKind::Deleted);
            }
            Change::Granted { hold, held } => {
                let holder = party(hold, held.note.as_ref());
                let (token, timeout) = (held.token, held.timeout);
                let kind = EventKind::Granted { holder, token, timeout };
                tell(&hold.namespace, &hold.lock_id, kind);
            }
            Change::Refreshed { hold, timeout, .. } => {
                if let Some(held) = self.held(hold) {
                    let (holder, token) = (party(hold, held.note.as_ref()), held.token);
                    let kind = EventKind::Refreshed { holder, token, timeout: *timeout };
                    tell(&hold.namespace, &hold.lock_id, kind);
                }
            }
            Change::Ended { hold, cause, by, at: _ } => {
                if let Some(held) = self.held(hold) {
                    let (holder, token) = (party(hold, held.note.as_ref()), held.token);
                    let kind = EventKind::Ended { holder, token, cause: *cause, by: by.clone() };
                    tell(&hold.namespace, &hold.lock_id, kind);
                }
            }
            Change::Queued(waiter) if self.waiter(waiter.ticket).is_some() => {}
            Change::Queued(waiter) => {
                for (hold, party) in parties(waiter) {
                    let lock = self.lock(&hold.namespace, &hold.lock_id);
                    let position = lock.map_or(1, |lock| position(lock, waiter));
                    let kind = EventKind::Queued { waiter: party, position };
                    tell(&hold.namespace, &hold.lock_id, kind);
                }
            }
            Change::LeftLine { why: None, .. } => {}
            Change::LeftLine { ticket, why: Some(why) } => {
                self.left_queue(*ticket, *why).for_each(|(hold, kind)| {
                    tell(&hold.namespace, &hold.lock_id, kind);
                });
            }
            Change::WaitEnded { ticket, .. } => {
                self.left_queue(*ticket, Leaving::TimedOut).for_each(|(hold, kind)| {
                    tell(&hold.namespace, &hold.lock_id, kind);
                });
            }
            Change::Confirmed(_)
            | Change::PastDropped { .. }
            | Change::PastRead { .. }
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
    }

    fn held(&self, hold: &HoldKey) -> Option<&Hold> {
        self.lock(&hold.namespace, &hold.lock_id)?.hold_of(hold)
    }

    /// A waiter leaves the queue of each lock that it waits for.
    fn left_queue(
        &self,
        ticket: Ticket,
        why: Leaving,
    ) -> impl Iterator<Item = (HoldKey, EventKind)> {
        let parties = self.waiter(ticket).into_iter().flat_map(parties);
        parties.map(move |(hold, party)| (hold, EventKind::LeftLine { waiter: party, why }))
    }
}

fn party(hold: &HoldKey, note: Option<&Note>) -> Party {
    Party { process_id: hold.process_id.clone(), mode: hold.mode, note: note.cloned() }
}

/// A waiter, once for each lock that it waits for.
fn parties(waiter: &Waiter) -> impl Iterator<Item = (HoldKey, Party)> {
    waiter.holds().map(|hold| {
        let party = party(&hold, waiter.terms.note.as_ref());
        (hold, party)
    })
}
