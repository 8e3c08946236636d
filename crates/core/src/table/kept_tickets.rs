//! Tickets of waits that timed out. A ticket keeps the *order* of a client that asks again in time. It
//! never keeps the *lock*: the client is not in the queue meanwhile, and nothing waits for it.

use std::collections::{BTreeMap, VecDeque};

use crate::command::Mode;
use crate::id::{LockId, Namespace, ProcessId};
use crate::limits::GRACE;
use crate::line::{Purpose, Ticket, Waiter};
use crate::time::Mono;

/// What has to be the same for a request to find the ticket of an earlier one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Request {
    namespace: Namespace,
    process_id: ProcessId,
    purpose: Purpose,
    /// Sorted: the order in which a client names its locks does not matter.
    wants: Vec<(LockId, Mode)>,
}

impl Request {
    pub(crate) fn new(
        namespace: &Namespace,
        process_id: &ProcessId,
        purpose: Purpose,
        mut wants: Vec<(LockId, Mode)>,
    ) -> Self {
        wants.sort_unstable();
        Self { namespace: namespace.clone(), process_id: process_id.clone(), purpose, wants }
    }

    fn of(waiter: &Waiter) -> Self {
        let Waiter { namespace, process_id, purpose, wants, .. } = waiter;
        Self::new(namespace, process_id, *purpose, wants.clone())
    }
}

/// The kept tickets, at most as many as the service may have waiters (I7).
#[derive(Debug, Default)]
pub(crate) struct KeptTickets {
    by_request: BTreeMap<Request, Kept>,
    requests: BTreeMap<Ticket, Request>,
    /// In the order of their times, because all are kept equally long. A ticket that was used up or
    /// kept again since may still be listed with its earlier time.
    by_time: VecDeque<(Mono, Ticket)>,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    ticket: Ticket,
    until: Mono,
}

impl KeptTickets {
    /// The ticket that this request may use again.
    pub(crate) fn find(&self, request: &Request, now: Mono) -> Option<Ticket> {
        let kept = self.by_request.get(request).filter(|kept| now < kept.until)?;
        Some(kept.ticket)
    }

    /// Keeps the ticket of a waiter, and forgets those whose time is over and those beyond `max`.
    pub(super) fn keep(&mut self, waiter: &Waiter, until: Mono, max: usize) {
        let (ticket, request) = (waiter.ticket, Request::of(waiter));
        self.requests.insert(ticket, request.clone());
        if let Some(earlier) = self.by_request.insert(request, Kept { ticket, until })
            && earlier.ticket != ticket
        {
            self.requests.remove(&earlier.ticket);
        }
        self.by_time.push_back((until, ticket));
        while let Some((time, ticket)) = self.by_time.front().copied() {
            if time.plus(GRACE) > until && self.by_time.len() <= max {
                break;
            }
            self.by_time.pop_front();
            self.forget_if(ticket, |kept| kept.until == time);
        }
    }

    /// Forgets a ticket that is in the queue again, or was used up by a grant.
    pub(super) fn forget(&mut self, ticket: Ticket) {
        self.forget_if(ticket, |_| true);
    }

    fn forget_if(&mut self, ticket: Ticket, is_meant: impl FnOnce(&Kept) -> bool) {
        if let Some(request) = self.requests.get(&ticket)
            && self.by_request.get(request).is_some_and(is_meant)
        {
            self.by_request.remove(request);
            self.requests.remove(&ticket);
        }
    }

    /// Whether the indexes agree.
    pub(super) fn is_consistent(&self) -> bool {
        let tickets = self.by_request.iter().map(|(request, kept)| (kept.ticket, request));
        let is_listed = |kept: &Kept| self.by_time.contains(&(kept.until, kept.ticket));
        tickets.collect::<BTreeMap<_, _>>() == self.requests.iter().map(|(t, r)| (*t, r)).collect()
            && self.by_request.values().all(is_listed)
    }
}
