//! One reader of the events: a place in the log, and what it wants to hear.

use std::sync::Arc;
use std::time::Duration;

use leasehold_core::Event;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::filter::Filter;
use super::id::EventId;
use super::log::{EventLog, Found};

/// Rest between two looks of one that has seen all: events that come faster are told together, so that many
/// followers of a busy service do not take the time of its work.
const REST: Duration = Duration::from_millis(10);

/// What a follower is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// What happened, in order; never nothing.
    Events(Vec<(EventId, Event)>),
    /// Events are missing here.
    Gap(Gap),
}

/// A hole in what a follower is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The last event before it that the follower was told, or had passed.
    pub after: EventId,
    /// What follows is complete from after this one.
    pub until: EventId,
    /// How it came about.
    pub reason: GapReason,
}

/// How a gap came about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GapReason {
    /// The service started anew, or lost a commit, since: what happened meanwhile is not known.
    NewTerm,
    /// Too much has happened since; the oldest of it is not kept any more.
    Forgotten,
    /// The follower read so slowly that it fell behind what is kept. Nothing more comes.
    TooSlow,
}

/// A reader of the events.
pub struct Follower {
    log: Arc<EventLog>,
    filter: Filter,
    pulse: watch::Receiver<()>,
    seen: EventId,
    rested: Instant,
    /// It has begun: what it misses from now on, it misses by its own slowness.
    has_looked: bool,
    has_ended: bool,
}

impl Follower {
    pub(super) fn new(
        log: Arc<EventLog>,
        filter: Filter,
        pulse: watch::Receiver<()>,
        seen: EventId,
    ) -> Self {
        let rested = Instant::now();
        Self { log, filter, pulse, seen, rested, has_looked: false, has_ended: false }
    }

    /// Up to here it has been told all that it wants to hear: where to resume.
    #[must_use]
    pub fn seen(&self) -> EventId {
        self.seen
    }

    /// Waits for what comes next; `None` once nothing more comes. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            if self.has_ended {
                return None;
            }
            sleep_until(self.rested).await;
            self.pulse.mark_unchanged();
            match self.log.after(self.seen, self.filter.with_refreshes) {
                Found::End => self.has_ended = true,
                Found::Gap { until } => return Some(Told::Gap(self.pass_gap(until))),
                Found::Pieces { pieces, until, is_all } => {
                    let mut events: Vec<(EventId, Event)> = pieces
                        .iter()
                        .flat_map(|piece| piece.iter())
                        .filter(|(number, _)| {
                            (self.seen.number + 1..=until.number).contains(number)
                        })
                        .filter(|(_, event)| self.filter.wants(event))
                        .map(|(number, event)| {
                            (EventId { number: *number, ..until }, event.clone())
                        })
                        .collect();
                    if is_all {
                        self.rested = Instant::now() + REST;
                    }
                    // Refreshes come from a ring of their own.
                    events.sort_unstable_by_key(|(id, _)| *id);
                    self.seen = until;
                    self.has_looked = true;
                    if !events.is_empty() {
                        return Some(Told::Events(events));
                    }
                    if is_all && self.pulse.changed().await.is_err() {
                        self.has_ended = true;
                    }
                }
            }
        }
    }

    fn pass_gap(&mut self, until: EventId) -> Gap {
        let reason = if self.seen.term != until.term || self.seen.number > until.number {
            GapReason::NewTerm
        } else if self.has_looked {
            self.has_ended = true;
            GapReason::TooSlow
        } else {
            GapReason::Forgotten
        };
        let gap = Gap { after: self.seen, until, reason };
        self.seen = until;
        self.has_looked = true;
        gap
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.log.left(&self.filter.namespace);
    }
}
