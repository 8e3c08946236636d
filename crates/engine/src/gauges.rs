//! What the commit loop tells about itself.

use std::time::Duration;

use leasehold_core::{Batch, Effects, Mono, Table};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// How long the counts of locks and holds may lag behind. Counting them costs a look at every
/// namespace, so it is not done for every batch.
const LAG: Duration = Duration::from_millis(500);

/// Handles to the loop's metrics, looked up once.
pub(crate) struct Gauges {
    grants: Counter,
    releases: Counter,
    expiries: Counter,
    forced_ends: Counter,
    events: Counter,
    batch_rows: Histogram,
    commit_seconds: Histogram,
    queue_depth: Gauge,
    due: Option<Mono>,
}

impl Gauges {
    pub(crate) fn new() -> Self {
        Self {
            grants: counter!("leasehold_grants_total"),
            releases: counter!("leasehold_releases_total"),
            expiries: counter!("leasehold_expiries_total"),
            forced_ends: counter!("leasehold_forced_ends_total"),
            events: counter!("leasehold_events_total"),
            batch_rows: histogram!("leasehold_batch_rows"),
            commit_seconds: histogram!("leasehold_commit_seconds"),
            queue_depth: gauge!("leasehold_queue_depth"),
            due: Some(Mono::default()),
        }
    }

    /// When the counts of locks and holds have to be brought up to date, if they are behind.
    pub(crate) fn due(&self) -> Option<Mono> {
        self.due
    }

    pub(crate) fn committed(&self, batch: &Batch, took: Duration) {
        // Exact below 2^52 rows.
        #[expect(clippy::cast_precision_loss)]
        self.batch_rows.record(batch.len() as f64);
        self.commit_seconds.record(took.as_secs_f64());
    }

    pub(crate) fn published(&self, events: usize) {
        self.events.increment(events as u64);
    }

    #[expect(clippy::cast_precision_loss, reason = "exact below 2^52")]
    pub(crate) fn after_batch(
        &mut self,
        now: Mono,
        effects: &Effects,
        queued: usize,
        table: &Table,
    ) {
        self.grants.increment(effects.granted);
        self.releases.increment(effects.released);
        self.expiries.increment(effects.expired);
        self.forced_ends.increment(effects.forced);
        self.queue_depth.set(queued as f64);
        if !effects.batch.is_empty() {
            self.due.get_or_insert(now.plus(LAG));
        }
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
            for space in table.occupancy() {
                let namespace = space.namespace.to_string();
                gauge!("leasehold_locks", "namespace" => namespace.clone()).set(space.locks as f64);
                gauge!("leasehold_holds", "namespace" => namespace.clone()).set(space.holds as f64);
                gauge!("leasehold_waiters", "namespace" => namespace).set(space.waiters as f64);
            }
        }
    }
}
