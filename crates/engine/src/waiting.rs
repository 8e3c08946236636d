//! Calls that stand in line: which ticket belongs to which caller.

use std::collections::BTreeMap;

use leasehold_core::{Refusal, Ticket};
use tokio::sync::oneshot;

use crate::engine::Failure;
use crate::gone::{CallId, CallOutcome};
use crate::work::Again;

/// A caller, and what it asked, where that may have to be carried out again.
pub(crate) type Caller = (oneshot::Sender<CallOutcome>, Option<Box<Again>>);

/// The callers whose outcome is still open, by ticket and by call.
#[derive(Default)]
pub(crate) struct Waiting {
    callers: BTreeMap<Ticket, (CallId, Caller)>,
    tickets: BTreeMap<CallId, Ticket>,
}

impl Waiting {
    /// Notes who waits at a place. If the same process came back to it while an older request of its own
    /// was still open, the older one is told that the newer has taken over.
    pub(crate) fn insert(&mut self, ticket: Ticket, call: CallId, caller: Caller) {
        self.tickets.insert(call, ticket);
        if let Some((older, (sender, _))) = self.callers.insert(ticket, (call, caller)) {
            self.tickets.remove(&older);
            // The older caller may have hung up meanwhile; then nobody needs the answer.
            drop(sender.send(Err(Failure::Refused(Refusal::Superseded))));
        }
    }

    /// The caller at a place, whose wait is over.
    pub(crate) fn take(&mut self, ticket: Ticket) -> Option<Caller> {
        let (call, caller) = self.callers.remove(&ticket)?;
        self.tickets.remove(&call);
        Some(caller)
    }

    /// The place of a call that hung up, if it still waits there.
    pub(crate) fn remove(&mut self, call: CallId) -> Option<Ticket> {
        let ticket = self.tickets.remove(&call)?;
        self.callers.remove(&ticket);
        Some(ticket)
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.callers.is_empty()
    }

    /// The caller at the last place, taken out of it.
    pub(crate) fn pop_last(&mut self) -> Option<(Ticket, Caller)> {
        let (ticket, (call, caller)) = self.callers.pop_last()?;
        self.tickets.remove(&call);
        Some((ticket, caller))
    }

    /// All callers, in line no more. Nothing was granted to them.
    pub(crate) fn into_callers(self) -> impl Iterator<Item = Caller> {
        self.callers.into_values().map(|(_, caller)| caller)
    }

    /// Tells all of them the same. Nothing was granted to them.
    pub(crate) fn refuse(self, failure: &Failure) {
        for (caller, _) in self.into_callers() {
            // It may have hung up meanwhile; then nobody needs the answer.
            drop(caller.send(Err(failure.clone())));
        }
    }
}
