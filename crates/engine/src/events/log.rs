//! The events of this term, kept in memory up to a bound. Publishing never waits for a reader: readers
//! hold the lock only for as long as it takes to share a few pieces.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use leasehold_core::{Event, EventKind, Namespace};
use tokio::sync::watch;

use super::filter::{Filter, is_refresh};
use super::follower::Follower;
use super::id::EventId;
use super::ring::{Piece, Ring};

/// Published events and how to follow them.
pub(crate) struct EventLog {
    state: Mutex<State>,
    capacity: usize,
    pulse: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    /// The term, and the last number given out in it.
    last: EventId,
    /// Refreshes have a ring of their own, so that they push nothing else out.
    rings: Rings,
    stand: Stand,
    /// How many follow the events of each namespace.
    followers: BTreeMap<Namespace, usize>,
}

/// Whether there is anything to follow here.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Stand {
    /// Not now; another replica may have it.
    #[default]
    Elsewhere,
    /// There is.
    Here,
    /// Not any more.
    Closed,
}

#[derive(Default)]
struct Rings {
    facts: Ring,
    refreshes: Ring,
}

/// What a follower finds after its last look.
pub(super) enum Found {
    /// The events that these pieces have up to `until`; `is_all` if more are not there yet.
    Pieces { pieces: Vec<Piece>, until: EventId, is_all: bool },
    /// What came after its last look, up to here, is not there any more, or never was in this term.
    Gap { until: EventId },
    /// Nothing, and nothing will come.
    End,
}

impl EventLog {
    /// An empty log that keeps so many events, and as many refreshes.
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        let (state, (pulse, _)) = (Mutex::default(), watch::channel(()));
        Arc::new(Self { state, capacity, pulse })
    }

    /// Starts over for a new term: what the last one told may lack its last batch.
    pub(crate) fn begin(&self, term: u64) {
        let forgotten = {
            let mut state = self.state();
            state.last = EventId { term, number: 0 };
            if state.stand == Stand::Elsewhere {
                state.stand = Stand::Here;
            }
            mem::take(&mut state.rings)
        };
        drop(forgotten);
        self.wake();
    }

    /// Numbers events that have become durable and hands them to whoever follows.
    pub(crate) fn publish(&self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let pushed_out = {
            let mut state = self.state();
            let first = state.last.number + 1;
            state.last.number += events.len() as u64;
            let numbered = (first..).zip(events);
            let (refreshes, facts) = numbered.partition(|(_, event)| is_refresh(event));
            let facts = state.rings.facts.push(facts, self.capacity);
            (facts, state.rings.refreshes.push(refreshes, self.capacity))
        };
        drop(pushed_out);
        self.wake();
    }

    /// Whether anybody follows.
    pub(crate) fn is_followed(&self) -> bool {
        self.pulse.receiver_count() > 0
    }

    /// The namespaces in which events tell of grants to a client that follows them.
    pub(crate) fn followed_grants(&self, events: &[Event]) -> BTreeSet<Namespace> {
        if !self.is_followed() {
            return BTreeSet::new();
        }
        let state = self.state();
        let grants = events.iter().filter(|event| matches!(event.kind, EventKind::Granted { .. }));
        let namespaces = grants.map(|event| &event.namespace);
        namespaces.filter(|namespace| state.followers.contains_key(*namespace)).cloned().collect()
    }

    /// A follower is gone.
    pub(super) fn left(&self, namespace: &Namespace) {
        let mut state = self.state();
        if let Some(count) = state.followers.get_mut(namespace) {
            *count -= 1;
            if *count == 0 {
                state.followers.remove(namespace);
            }
        }
    }

    /// Another replica leads: whoever follows comes to an end, and finds it there.
    pub(crate) fn send_elsewhere(&self) {
        self.end_with(Stand::Elsewhere);
    }

    /// Nothing more comes: whoever follows comes to an end.
    pub(crate) fn close(&self) {
        self.end_with(Stand::Closed);
    }

    fn end_with(&self, stand: Stand) {
        let mut state = self.state();
        if state.stand != Stand::Closed {
            state.stand = stand;
        }
        drop(state);
        self.wake();
    }

    /// Follows from after an event, or from now on. `None` if there is nothing to follow.
    pub(crate) fn follow(
        self: &Arc<Self>,
        filter: Filter,
        after: Option<EventId>,
    ) -> Option<Follower> {
        let pulse = self.pulse.subscribe();
        let mut state = self.state();
        let from = after.unwrap_or(state.last);
        if state.stand != Stand::Here {
            return None;
        }
        *state.followers.entry(filter.namespace.clone()).or_default() += 1;
        Some(Follower::new(Arc::clone(self), filter, pulse, from))
    }

    /// What came after an event.
    pub(super) fn after(&self, seen: EventId, with_refreshes: bool) -> Found {
        let state = self.state();
        let (facts, refreshes) = (&state.rings.facts, &state.rings.refreshes);
        let forgotten = match with_refreshes {
            true => facts.forgotten.max(refreshes.forgotten),
            false => facts.forgotten,
        };
        let is_known = seen.term == state.last.term && seen.number <= state.last.number;
        if state.stand != Stand::Here {
            return Found::End;
        }
        if !is_known || seen.number < forgotten {
            return Found::Gap { until: EventId { number: forgotten, ..state.last } };
        }
        let (mut pieces, mut number) = facts.after(seen.number, state.last.number);
        if with_refreshes {
            let (more, of_these) = refreshes.after(seen.number, state.last.number);
            pieces.extend(more);
            number = number.min(of_these);
        }
        let until = EventId { number, ..state.last };
        Found::Pieces { pieces, until, is_all: until == state.last }
    }

    /// Whoever follows has subscribed before it looked, so nobody is missed here.
    fn wake(&self) {
        if self.is_followed() {
            self.pulse.send_replace(());
        }
    }

    /// A panic while the lock was held leaves nothing half done that matters to a reader.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
